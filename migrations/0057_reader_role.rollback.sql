-- The role stays, like those of 0001: it belongs to the whole server.
SELECT 1;
