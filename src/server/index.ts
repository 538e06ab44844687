export { SpacefeedError } from "../protocol/errors.js";
export { type Config, readConfig } from "./config.js";
export { type MigrationStatus, migrate, migrationStatus, schemaSql } from "./postgres/migrate.js";
export { type Relay, startRelay } from "./relay.js";
