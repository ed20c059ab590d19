//! What owners did, into rows: of the room, of its owners, of who may not write or come back.

use std::net::IpAddr;

use rusqlite::{Row, params};

use super::{Store, each};
use crate::model::*;
use crate::rooms::Rooms;

/// Somebody may write again, and whoever it came back as.
const UNMUTE: &str = "DELETE FROM mutes WHERE room = ?1 AND person =
    (SELECT person FROM mutes WHERE room = ?1 AND user = ?2)";

impl Store {
    pub(super) fn load_powers(&self, rooms: &mut Rooms) -> rusqlite::Result<()> {
        each(&self.db, "SELECT room, user FROM owners", |row| {
            rooms.put_owner(RoomNo(row.get(0)?), UserNo(row.get(1)?), true);
            Ok(())
        })?;
        let host = |row: &Row, column| -> rusqlite::Result<Option<IpAddr>> {
            let host: Option<String> = row.get(column)?;
            Ok(host.and_then(|host| host.parse().ok()))
        };
        let sql = "SELECT room, user, until, person, name, host FROM mutes";
        each(&self.db, sql, |row| {
            let who = Muted {
                user: UserNo(row.get(1)?),
                until: row.get(2)?,
                person: UserNo(row.get(3)?),
                name: row.get(4)?,
                from: host(row, 5)?,
            };
            rooms.put_muted(RoomNo(row.get(0)?), who);
            Ok(())
        })?;
        let sql = "SELECT room, user, name, host FROM kept_out";
        each(&self.db, sql, |row| {
            let who = KeptOut {
                user: UserNo(row.get(1)?),
                name: row.get(2)?,
                from: host(row, 3)?,
            };
            rooms.put_kept_out(RoomNo(row.get(0)?), who);
            Ok(())
        })
    }

    pub(super) fn write_power(&self, event: &Event) -> rusqlite::Result<()> {
        match event {
            Event::Owner { room, user, on } => {
                if !on {
                    let sql = "DELETE FROM owners WHERE room = ?1 AND user = ?2";
                    self.run(sql, [room.0, user.0])?;
                    return Ok(());
                }
                for sql in [
                    "REPLACE INTO owners (room, user) VALUES (?1, ?2)",
                    UNMUTE,
                    "DELETE FROM kept_out WHERE room = ?1 AND user = ?2",
                ] {
                    self.run(sql, [room.0, user.0])?;
                }
            }
            Event::RoomSecret {
                room,
                secret,
                version,
            } => {
                let sql = "UPDATE rooms SET secret = ?2, secret_version = ?3 WHERE no = ?1";
                self.run(sql, params![room.0, secret, version])?;
            }
            Event::RoomKey { room, key } => {
                let sql = "UPDATE rooms SET key = ?2 WHERE no = ?1";
                self.run(sql, params![room.0, key.0])?;
            }
            Event::Muted { room, who, forgets } => {
                if let Some(user) = forgets {
                    let sql = "DELETE FROM mutes WHERE room = ?1 AND user = ?2";
                    self.run(sql, [room.0, user.0])?;
                }
                let host = who.from.map(|from| from.to_string());
                self.run(
                    "REPLACE INTO mutes (room, user, until, person, name, host)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![room.0, who.user.0, who.until, who.person.0, who.name, host],
                )?;
            }
            Event::KeptOut { room, who } => {
                let host = who.from.map(|from| from.to_string());
                let sql = "REPLACE INTO kept_out (room, user, name, host) VALUES (?1, ?2, ?3, ?4)";
                self.run(sql, params![room.0, who.user.0, who.name, host])?;
            }
            Event::LetIn { room, user } => {
                let sql = "DELETE FROM kept_out WHERE room = ?1 AND user = ?2";
                self.run(sql, [room.0, user.0])?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What a notice says becomes so, where no event of its own does it (as `rooms::apply`).
    pub(super) fn write_change(&self, e: &Entry, what: &Notice) -> rusqlite::Result<()> {
        let room = e.room.0;
        match what {
            Notice::Renamed { to } => {
                let sql = "UPDATE rooms SET name = ?2 WHERE no = ?1";
                self.run(sql, params![room, to])?;
            }
            Notice::Locked { on } => {
                let sql = "UPDATE rooms SET locked = ?2 WHERE no = ?1";
                self.run(sql, params![room, on])?;
            }
            Notice::Quiet { on } => {
                let sql = "UPDATE rooms SET quiet = ?2 WHERE no = ?1";
                self.run(sql, params![room, on])?;
            }
            Notice::Muted { target, until } => {
                let past = "DELETE FROM mutes WHERE room = ?1 AND until <= ?2";
                self.run(past, [room, e.sent])?;
                match until {
                    Some(until) => {
                        let sql = "UPDATE mutes SET until = ?3 WHERE room = ?1 AND person =
                                     (SELECT person FROM mutes WHERE room = ?1 AND user = ?2)";
                        self.run(sql, [room, target.no.0, *until])?;
                    }
                    None => drop(self.run(UNMUTE, [room, target.no.0])?),
                }
            }
            Notice::Password { .. }
            | Notice::Kicked { .. }
            | Notice::Allowed { .. }
            | Notice::Owner { .. }
            | Notice::Wiped { .. }
            | Notice::Link => {}
        }
        Ok(())
    }
}
