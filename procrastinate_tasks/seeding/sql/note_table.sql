-- Where seeding notes what it made, so that exactly that can be removed; the table goes with the last of it.
CREATE TABLE IF NOT EXISTS procrastinate_tasks_seeded (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    first_job_id bigint NOT NULL,
    last_job_id bigint NOT NULL,
    worker_ids bigint[] NOT NULL DEFAULT '{}',
    schedule_names text[] NOT NULL DEFAULT '{}',
    paused_queues text[] NOT NULL DEFAULT '{}'
)
