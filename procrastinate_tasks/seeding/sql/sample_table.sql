-- What the seeded jobs of this connection are copied from; fault_ids leads into the other table.
CREATE TEMPORARY TABLE seed_sample (
    n integer PRIMARY KEY,
    task_name text NOT NULL,
    queue_name text NOT NULL,
    priority integer NOT NULL,
    args jsonb NOT NULL,
    fault_ids integer[] NOT NULL
) ON COMMIT PRESERVE ROWS
