-- Fill the faults of this connection.
INSERT INTO seed_fault (n, exception_class, message, traceback, fingerprint)
SELECT place, fault.exception_class, fault.message, fault.traceback, fault.fingerprint
FROM unnest(%(classes)s::text[], %(messages)s::text[], %(tracebacks)s::text[], %(fingerprints)s::text[])
    WITH ORDINALITY AS fault (exception_class, message, traceback, fingerprint, place)
