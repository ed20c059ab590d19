//! What a disk may hold when the power goes: all that was synced, and of the rest anything.
//!
//! A sector of 512 bytes is whole and holds what the file had there at some moment since the last
//! sync; which moment, each sector decides for itself. A name is in the folder if the folder was
//! synced since it was made, and perhaps otherwise.

use crate::trace::{Act, Step};
use std::collections::BTreeMap;

const SECTOR: usize = 512;

/// What became of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// None of it is there.
    Lost,
    /// All of it is.
    Kept,
    /// All up to some moment is, and some sectors of the write after it.
    Ordered,
    /// Each write is, is not, or in some of its sectors; names up to some moment of their own.
    Scattered,
}

pub const FATES: [Fate; 4] = [Fate::Lost, Fate::Kept, Fate::Ordered, Fate::Scattered];

/// SplitMix64: the same seed, the same disk.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `end`, which is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Keep {
    All,
    None,
    SomeSectors,
}

struct Change<'a> {
    step: &'a Step,
    /// Which file, by the number of its making: a name may come again.
    file: usize,
    synced: bool,
}

/// The files of the folder, had the power gone before line `cut`; and how many changes were
/// not synced then.
pub fn after(
    steps: &[Step],
    cut: usize,
    fate: Fate,
    random: &mut Random,
) -> (BTreeMap<String, Vec<u8>>, usize) {
    let mut changes = changes(steps, cut);
    let unsynced = changes.iter().filter(|c| !c.synced).count();
    let moment = random.below(unsynced + 1);
    // The first unsynced change of a name that is lost takes the later ones of that name with it.
    let mut names_lost: Vec<&str> = Vec::new();
    let mut nth = 0;
    let keeps: Vec<Keep> = changes
        .iter()
        .map(|change| {
            if change.synced {
                return Keep::All;
            }
            nth += 1;
            let keep = match fate {
                Fate::Lost => Keep::None,
                Fate::Kept => Keep::All,
                Fate::Ordered if nth <= moment => Keep::All,
                Fate::Ordered if nth == moment + 1 => Keep::SomeSectors,
                Fate::Ordered => Keep::None,
                Fate::Scattered => [Keep::All, Keep::None, Keep::SomeSectors][random.below(3)],
            };
            let (Act::Create(name) | Act::Unlink(name)) = &change.step.act else {
                return keep;
            };
            let lost = names_lost.contains(&name.as_str())
                || keep == Keep::None
                || (keep == Keep::SomeSectors && random.below(2) == 0);
            match lost {
                true => {
                    names_lost.push(name);
                    Keep::None
                }
                false => Keep::All,
            }
        })
        .collect();

    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    // Of each file, what programs saw and what the disk has.
    let mut files: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (change, keep) in changes.drain(..).zip(keeps) {
        if files.len() <= change.file {
            files.resize(change.file + 1, Default::default());
        }
        let (seen, disk) = &mut files[change.file];
        match &change.step.act {
            Act::Create(name) if keep == Keep::All => drop(names.insert(name.clone(), change.file)),
            Act::Unlink(name) if keep == Keep::All => drop(names.remove(name)),
            Act::Truncate { len, .. } => {
                seen.resize(*len, 0);
                if keep != Keep::None {
                    disk.resize(*len, 0);
                }
            }
            Act::Write { at, bytes, .. } => {
                let end = at + bytes.len();
                if seen.len() < end {
                    seen.resize(end, 0);
                }
                seen[*at..end].copy_from_slice(bytes);
                for sector in at / SECTOR..end.div_ceil(SECTOR) {
                    if keep == Keep::None || (keep == Keep::SomeSectors && random.below(2) == 0) {
                        continue;
                    }
                    let from = sector * SECTOR;
                    let to = (from + SECTOR).min(seen.len());
                    if disk.len() < to {
                        disk.resize(to, 0);
                    }
                    disk[from..to].copy_from_slice(&seen[from..to]);
                }
            }
            _ => {}
        }
    }
    let content = |(name, file): (String, usize)| (name, files[file].1.clone());
    (names.into_iter().map(content).collect(), unsynced)
}

/// Everything that was begun before a line, in order, and what of it a sync has reached.
fn changes(steps: &[Step], cut: usize) -> Vec<Change<'_>> {
    let mut changes: Vec<Change> = Vec::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut made = 0;
    for step in steps.iter().take_while(|step| step.began < cut) {
        let file = match &step.act {
            Act::Told(_) => continue,
            Act::Create(name) => {
                if names.contains_key(name.as_str()) {
                    continue; // opened only
                }
                made += 1;
                names.insert(name, made - 1);
                made - 1
            }
            Act::Unlink(name) => names.remove(name.as_str()).expect("a file that is there"),
            Act::Write { name, .. } | Act::Truncate { name, .. } => names[name.as_str()],
            Act::Sync(_) | Act::SyncFolder => {
                if step.ended < cut {
                    let synced_file = match &step.act {
                        Act::Sync(name) => Some(names[name.as_str()]),
                        _ => None,
                    };
                    for change in changes.iter_mut().filter(|c| c.step.ended < step.began) {
                        let of_folder = matches!(change.step.act, Act::Create(_) | Act::Unlink(_));
                        change.synced |= match synced_file {
                            Some(file) => !of_folder && change.file == file,
                            None => of_folder,
                        };
                    }
                }
                continue;
            }
        };
        changes.push(Change {
            step,
            file,
            synced: false,
        });
    }
    changes
}
