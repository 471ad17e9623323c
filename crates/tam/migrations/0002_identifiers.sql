-- What a manifest asks of a device's identity: SUIT vendor and class identifiers, 16 bytes each, one after
-- the other. Empty where it asks nothing, and for what is published before this step.

ALTER TABLE manifests ADD COLUMN vendor_ids BLOB NOT NULL DEFAULT x'';
ALTER TABLE manifests ADD COLUMN class_ids BLOB NOT NULL DEFAULT x'';
