-- A part of other statements: the jobs of a list, and what it is sorted by.
        SELECT job.*, {key} AS sort_key
        FROM procrastinate_jobs AS job
        WHERE {in_group}
          AND {following}
          AND (%(before)s::bigint IS NULL OR job.id < %(before)s)
          AND (%(after)s::bigint IS NULL OR job.id > %(after)s)
          AND
{filtered}
        ORDER BY {found_order}
        LIMIT %(window)s
