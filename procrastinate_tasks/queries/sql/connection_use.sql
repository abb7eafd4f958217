-- The connections in use, and the limit that is nearest: the plan's if one is named, this role's, this database's, or
-- the server's less what it keeps for its owner. Some columns of other roles' sessions read NULL.
WITH session AS (
    SELECT datname = current_database() AS is_here, usesysid = (SELECT oid FROM pg_roles WHERE rolname = current_user) AS is_mine
    FROM pg_stat_activity
    WHERE datname IS NOT NULL
      AND coalesce(backend_type, 'client backend') = 'client backend'
),
used AS (
    SELECT
        count(*) AS on_server,
        count(*) FILTER (WHERE is_here) AS here,
        count(*) FILTER (WHERE is_mine) AS mine
    FROM session
),
known_limit (used, "limit") AS (
    SELECT here, %(plan_limit)s::bigint FROM used
    UNION ALL
    SELECT mine, rolconnlimit FROM used CROSS JOIN pg_roles WHERE rolname = current_user
    UNION ALL
    SELECT here, datconnlimit FROM used CROSS JOIN pg_database WHERE datname = current_database()
    UNION ALL
    SELECT
        on_server,
        current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
    FROM used
)
SELECT used, "limit"
FROM known_limit
WHERE "limit" > 0
ORDER BY used::numeric / "limit" DESC
LIMIT 1
