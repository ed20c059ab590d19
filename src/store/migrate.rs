//! Older databases, brought to the schema of this parlor. Each step is one transaction with its new
//! version in it: a power cut leaves the one or the other.

use rusqlite::Connection;

use super::SCHEMA_VERSION;

/// The step to each version from the one before it, from version 1 on.
const STEPS: [&str; 3] = [
    include_str!("to_version_2.sql"),
    include_str!("to_version_3.sql"),
    include_str!("to_version_4.sql"),
];

/// The oldest version that there are steps from.
pub(super) const OLDEST: i64 = SCHEMA_VERSION - STEPS.len() as i64;

/// Brings a database from `version` to `SCHEMA_VERSION`.
pub(super) fn migrate(db: &Connection, version: i64) -> rusqlite::Result<()> {
    for (step, to) in STEPS.iter().zip(OLDEST + 1..) {
        if to <= version {
            continue;
        }
        let tx = db.unchecked_transaction()?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", to)?;
        tx.commit()?;
        log::info!("the database was brought to schema {to}");
    }
    Ok(())
}
