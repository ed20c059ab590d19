//! A fuzzer for the stable toolchain: changes inputs of the corpus and keeps those that make
//! something happen that has not happened before. What happened, a target says itself, as numbers
//! ("refused with this sentence", "a chunked POST"): that stands in for the compiler's coverage,
//! which needs a nightly one.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, panic};

/// Of each target in `make test`: a minute in all.
const TIME: Duration = Duration::from_secs(15);
/// Tries to make an input smaller.
const SHRINKS: usize = 3_000;
/// Inputs in the corpus of a target before no more are kept: it is to be read through, and quick.
const MAX_KEPT: usize = 64;
/// Changes made to an input at once.
const CHANGES: usize = 6;

pub struct Target {
    /// Of its folder in `corpus/`.
    pub name: &'static str,
    /// What happened; panics where something must never happen.
    pub run: fn(&[u8]) -> Vec<u64>,
    /// What its inputs are made of.
    pub words: &'static [&'static str],
    pub max_bytes: usize,
}

/// One thing that happened.
pub fn happened(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// A seed from the clock, unless FUZZ_SEED gives one; FUZZ_SECONDS of time; FUZZ_KEEP writes what
/// was found to the corpus.
pub fn fuzz(target: &Target) {
    let number = |name: &str| {
        let given = env::var(name).ok()?;
        Some(
            given
                .parse::<u64>()
                .unwrap_or_else(|_| panic!("{name} is a number")),
        )
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seed = number("FUZZ_SEED").unwrap_or(now.as_nanos() as u64);
    let time = number("FUZZ_SECONDS").map_or(TIME, Duration::from_secs);
    println!("{}: FUZZ_SEED={seed} for {time:?}", target.name);

    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target.name);
    let mut fuzzer = Fuzzer {
        target,
        folder,
        dice: Dice(seed | 1),
        inputs: vec![],
        seen: HashSet::new(),
    };
    for input in fuzzer.corpus() {
        fuzzer.take(input);
    }
    assert!(!fuzzer.inputs.is_empty(), "a corpus to begin with");
    let kept = fuzzer.inputs.len();

    let (start, mut runs) = (Instant::now(), 0_u64);
    while start.elapsed() < time {
        let input = fuzzer.changed();
        fuzzer.take(input);
        runs += 1;
    }
    let found = fuzzer.inputs.split_off(kept);
    println!(
        "{}: {runs} runs, {} things happened, {} inputs kept, {} found",
        target.name,
        fuzzer.seen.len(),
        kept,
        found.len()
    );
    if env::var_os("FUZZ_KEEP").is_some() {
        fuzzer.keep(found);
    }
}

struct Fuzzer<'a> {
    target: &'a Target,
    folder: PathBuf,
    dice: Dice,
    /// Each made something happen that those before it had not.
    inputs: Vec<Vec<u8>>,
    seen: HashSet<u64>,
}

impl Fuzzer<'_> {
    fn corpus(&self) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(&self.folder).expect("the corpus");
        let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
        paths.sort();
        let read = |path: &PathBuf| fs::read(path).expect("an input");
        paths.iter().map(read).collect()
    }

    fn take(&mut self, input: Vec<u8>) {
        match attempt(self.target, &input) {
            Ok(happened) => {
                let before = self.seen.len();
                self.seen.extend(happened);
                if self.seen.len() > before {
                    self.inputs.push(input);
                }
            }
            Err(_) => self.fail(input),
        }
    }

    /// Makes it smaller, puts it into the corpus, and fails.
    fn fail(&mut self, input: Vec<u8>) {
        let target = self.target;
        let small = shrunk(input, |input| attempt(target, input).is_err());
        let why = attempt(target, &small).expect_err("it failed a moment ago");
        let path = self.folder.join(name(&small));
        let written = fs::write(&path, &small);
        panic!(
            "{}: {why}\nthe input, {} bytes, {}:\n{}",
            target.name,
            small.len(),
            written.map_or_else(|e| e.to_string(), |()| format!("is in {}", path.display())),
            small.escape_ascii()
        );
    }

    /// Writes what was found, as small as it can be, and only as many as are needed for all that
    /// happened.
    fn keep(&mut self, found: Vec<Vec<u8>>) {
        let mut seen = HashSet::new();
        for input in &self.inputs {
            seen.extend(attempt(self.target, input).unwrap_or_default());
        }
        let room = MAX_KEPT.saturating_sub(self.inputs.len());
        for input in found.into_iter().take(room) {
            let new = |input: &[u8], seen: &HashSet<u64>| -> HashSet<u64> {
                let happened = attempt(self.target, input).unwrap_or_default();
                happened.into_iter().filter(|h| !seen.contains(h)).collect()
            };
            let wanted = new(&input, &seen);
            if wanted.is_empty() {
                continue;
            }
            let small = shrunk(input, |input| wanted.is_subset(&new(input, &seen)));
            fs::write(self.folder.join(name(&small)), &small).expect("an input written");
            seen.extend(wanted);
        }
    }

    /// An input, changed in a few places.
    fn changed(&mut self) -> Vec<u8> {
        let dice = &mut self.dice;
        let mut input = dice.pick(&self.inputs).clone();
        for _ in 0..=dice.below(CHANGES) {
            let at = dice.below(input.len() + 1);
            let end = at + dice.below((input.len() - at).min(64) + 1);
            match dice.below(9) {
                0 => drop(input.drain(at..end)),
                1 => input.insert(at, dice.below(256) as u8),
                2 if at < input.len() => input[at] ^= 1 << dice.below(8),
                3 if at < input.len() => input[at] = dice.below(256) as u8,
                4 => {
                    // Once, or so often that limits are met.
                    let times = *dice.pick(&[1, 1, 1, 2, 100, 5_000]);
                    let room = self.target.max_bytes / (end - at).max(1);
                    let piece = input[at..end].repeat(times.min(room));
                    input.splice(at..at, piece);
                }
                5 | 6 if !self.target.words.is_empty() => {
                    let word = dice.pick(self.target.words).bytes();
                    let end = if dice.below(2) == 0 { at } else { end };
                    input.splice(at..end, word);
                }
                7 => {
                    let other = dice.pick(&self.inputs);
                    let from = dice.below(other.len() + 1);
                    let piece = other[from..].to_vec();
                    input.splice(at.., piece);
                }
                _ => {
                    let other = dice.pick(&self.inputs);
                    let from = dice.below(other.len() + 1);
                    let to = from + dice.below((other.len() - from).min(64) + 1);
                    let piece = other[from..to].to_vec();
                    input.splice(at..end, piece);
                }
            }
        }
        input.truncate(self.target.max_bytes);
        input
    }
}

/// A name that the same input has again.
fn name(input: &[u8]) -> String {
    // FNV-1a: std's hasher may give other numbers with another version.
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    format!("{:016x}", input.iter().fold(0xcbf2_9ce4_8422_2325, fnv))
}

/// What happened, or what the panic said.
fn attempt(target: &Target, input: &[u8]) -> Result<Vec<u64>, String> {
    thread_local! {
        static EXPECTED: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    // Thousands of panics while an input shrinks would hide the one that counts.
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !EXPECTED.get() {
                usual(info);
            }
        }));
    });
    EXPECTED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    EXPECTED.set(false);
    outcome.map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic
            .downcast::<&str>()
            .map_or("a panic".into(), |text| text.to_string()),
    })
}

/// The input without what it can do without.
fn shrunk(mut input: Vec<u8>, holds: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let (mut piece, mut tries) = (input.len().next_power_of_two() / 2, 0);
    while piece > 0 {
        let mut at = 0;
        while at < input.len() && tries < SHRINKS {
            tries += 1;
            let mut less = input.clone();
            less.drain(at..(at + piece).min(input.len()));
            if holds(&less) {
                input = less;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    input
}

/// Xorshift (Marsaglia): the same seed, the same throws.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// How often each kind of thing happened, in powers of two: more of the same is news, too.
pub fn counted(kinds: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut counts: HashMap<u64, u32> = HashMap::new();
    for kind in kinds {
        *counts.entry(kind).or_default() += 1;
    }
    let log = |count: u32| count.ilog2().min(3);
    counts
        .into_iter()
        .map(|(kind, count)| happened((kind, log(count))))
        .collect()
}
