-- What time it is by the clock that every process shares.
SELECT clock_timestamp() AS now
