-- How many of %(window)s jobs of a group are in each of its parts; `seen` tells whether there may be more.
SELECT {group} AS "group", count(*) AS seen, ARRAY[{parts}] AS parts
FROM (
    SELECT job.*
    FROM procrastinate_jobs AS job
    WHERE {in_group}
      AND
{filtered}
    {newest_first}
    LIMIT %(window)s
) AS job
{joined}
