//! How many accounts and rooms one address may make: each is kept for months, so a flood of them
//! would fill the disk. Knows addresses and numbers only.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::door::network;
use crate::hub::live::Buckets;
use crate::model::Refusal;

/// Registrations of one address: a school class registers in a minute, as it joins (hub), and
/// each costs a hashing of some ten milliseconds.
const REGISTRATIONS_A_MINUTE: u32 = 120;
/// Rooms made by one address: a whole school behind one router makes one each. A row or two for
/// each room; past this, a disk of 32 GB lasts for months.
const ROOMS_A_MINUTE: u32 = 600;

pub struct Newcomers {
    registrations: Mutex<Buckets<IpAddr>>,
    rooms: Mutex<Buckets<IpAddr>>,
}

impl Default for Newcomers {
    fn default() -> Newcomers {
        Newcomers {
            registrations: Mutex::new(Buckets::per_minute(REGISTRATIONS_A_MINUTE)),
            rooms: Mutex::new(Buckets::per_minute(ROOMS_A_MINUTE)),
        }
    }
}

impl Newcomers {
    /// Whether this address may register one more account now.
    pub fn may_register(&self, from: IpAddr) -> Result<(), Refusal> {
        take(&self.registrations, from)
    }

    /// Whether this address may make one more room now.
    pub fn may_make_room(&self, from: IpAddr) -> Result<(), Refusal> {
        take(&self.rooms, from)
    }
}

fn take(buckets: &Mutex<Buckets<IpAddr>>, from: IpAddr) -> Result<(), Refusal> {
    // A bucket is whole after each step, so a poisoned one is still right.
    let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = buckets.take(network(from), Instant::now());
    taken.map_err(|after| Refusal::TooFast { after })
}
