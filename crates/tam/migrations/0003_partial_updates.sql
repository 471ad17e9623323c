-- Whether more was to be installed than fits into the Update.
ALTER TABLE pending_updates ADD COLUMN is_part INTEGER NOT NULL DEFAULT 0;
