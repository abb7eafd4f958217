-- Remove what one note says was made, and the note. The events of a job go first: one by one they would go slowly.
WITH note AS (
    DELETE FROM procrastinate_tasks_seeded WHERE id = %(note)s RETURNING *
),
events AS (
    DELETE FROM procrastinate_events AS event USING note
    WHERE event.job_id BETWEEN note.first_job_id AND note.last_job_id
),
attempts AS (
    DELETE FROM procrastinate_tasks_jobattempt AS attempt USING note
    WHERE attempt.job_id BETWEEN note.first_job_id AND note.last_job_id
),
jobs AS (
    DELETE FROM procrastinate_jobs AS job USING note
    WHERE job.id BETWEEN note.first_job_id AND note.last_job_id
    RETURNING job.id
),
workers AS (
    DELETE FROM procrastinate_workers AS worker USING note WHERE worker.id = ANY(note.worker_ids)
),
schedules AS (
    DELETE FROM procrastinate_tasks_schedulestate AS state USING note WHERE state.name = ANY(note.schedule_names)
),
rules AS (
    DELETE FROM procrastinate_tasks_queuerule AS rule USING note WHERE rule.queue_name = ANY(note.paused_queues)
)
SELECT count(*) AS jobs FROM jobs
