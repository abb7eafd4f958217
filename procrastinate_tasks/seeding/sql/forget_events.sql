-- The events that Procrastinate's triggers wrote of this stretch: they say now, not when it happened.
DELETE FROM procrastinate_events AS event
USING seed_plan
WHERE event.job_id = seed_plan.id
