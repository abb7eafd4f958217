-- How far a page by ends has looked: how many ends, and the last of them.
SELECT count(*) OVER () AS ends, to_json(ended.at) #>> '{}' AS key, ended.job_id
FROM (
    SELECT ended.at, ended.job_id
    FROM procrastinate_events AS ended
    WHERE ended.type IN ({ends})
      AND {following}
    ORDER BY {found_order}
    LIMIT %(window)s
) AS ended
ORDER BY {last_first}
LIMIT 1
