-- Fill the samples of this connection.
INSERT INTO seed_sample (n, task_name, queue_name, priority, args, fault_ids)
SELECT place, sample.task_name, sample.queue_name, sample.priority, sample.args::jsonb,
    string_to_array(sample.fault_ids, ',')::integer[]
FROM unnest(
    %(task_names)s::text[], %(queues)s::text[], %(priorities)s::integer[], %(arguments)s::text[], %(fault_ids)s::text[]
) WITH ORDINALITY AS sample (task_name, queue_name, priority, args, fault_ids, place)
