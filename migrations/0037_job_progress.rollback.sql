-- Nothing to undo: it dropped what sql/ brings back, and gave comments other words.
DO $$ BEGIN END $$;
