-- A part of other statements: the same, of the jobs that ended, in the order of their ends.
        SELECT job.*, {key} AS sort_key
        FROM (
            SELECT ended.id, ended.job_id, ended.at
            FROM procrastinate_events AS ended
            WHERE ended.type IN ({ends})
              AND {following}
            ORDER BY {found_order}
            LIMIT %(window)s
        ) AS ending
        JOIN procrastinate_jobs AS job ON job.id = ending.job_id
        WHERE {in_group}
          AND NOT EXISTS (
              SELECT FROM procrastinate_events AS later
              WHERE later.job_id = ending.job_id
                AND later.id > ending.id
                AND later.type IN ({ends})
          )
          AND
{filtered}
