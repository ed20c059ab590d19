//! Work that only a few may do at a time: turns go round by who wants it, so that whoever asks a
//! thousand times waits behind itself.
//!
//! Knows neither the work nor who they are.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::Refusal;

/// How long one waits for its turn: a class of thirty that hashes takes a few seconds on a Pi.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Turns<K> {
    at_a_time: usize,
    /// So many of one may wait.
    of_one: usize,
    line: Mutex<Line<K>>,
    moved: Condvar,
}

struct Line<K> {
    running: usize,
    /// How many wait, by who they are. Never 0.
    waiting: HashMap<K, usize>,
    /// The keys of `waiting`, whose turn is next first.
    round: VecDeque<K>,
}

impl<K: Copy + Eq + Hash> Turns<K> {
    pub fn new(at_a_time: usize, of_one: usize) -> Turns<K> {
        let line = Line {
            running: 0,
            waiting: HashMap::new(),
            round: VecDeque::new(),
        };
        Turns {
            at_a_time,
            of_one,
            line: Mutex::new(line),
            moved: Condvar::new(),
        }
    }

    /// Waits for a turn and works in it. Too fast where `who` waits often enough already.
    pub fn take<T>(&self, who: K, work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
        struct Turn<'a, K: Copy + Eq + Hash>(&'a Turns<K>);
        impl<K: Copy + Eq + Hash> Drop for Turn<'_, K> {
            fn drop(&mut self) {
                self.0.line().running -= 1;
                self.0.moved.notify_all();
            }
        }
        let mut line = self.line();
        if line.waiting.get(&who).is_some_and(|n| *n >= self.of_one) {
            return Err(Refusal::TooFast { after: 1 });
        }
        line.enter(who);
        let at_a_time = self.at_a_time;
        let waiting = |line: &mut Line<K>| !line.is_turn_of(who, at_a_time);
        let waited = self.moved.wait_timeout_while(line, PATIENCE, waiting);
        let (mut line, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        line.leave(who);
        if waited.timed_out() {
            // Somebody else may be first now.
            self.moved.notify_all();
            return Err(Refusal::Busy);
        }
        line.running += 1;
        let _turn = Turn(self);
        drop(line);
        self.moved.notify_all();
        work()
    }

    fn line(&self) -> MutexGuard<'_, Line<K>> {
        // Nothing under it can panic half way.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Line<K> {
    fn enter(&mut self, who: K) {
        let waiting = self.waiting.entry(who).or_insert(0);
        *waiting += 1;
        if *waiting == 1 {
            self.round.push_back(who);
        }
    }

    fn leave(&mut self, who: K) {
        let more = match self.waiting.get_mut(&who) {
            Some(waiting) if *waiting > 1 => {
                *waiting -= 1;
                true
            }
            _ => self.waiting.remove(&who).is_none(),
        };
        self.round.retain(|key| *key != who);
        if more {
            self.round.push_back(who);
        }
    }

    fn is_turn_of(&self, who: K, at_a_time: usize) -> bool {
        self.running < at_a_time && self.round.front() == Some(&who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_go_round() {
        let turns = Turns::new(1, usize::MAX);
        let mut line = turns.line();
        [1, 1, 1, 2].iter().for_each(|n| line.enter(*n));
        let mut order = vec![];
        while let Some(&next) = line.round.front() {
            assert!(line.is_turn_of(next, 1));
            line.leave(next);
            order.push(next);
        }
        assert_eq!(order, [1, 2, 1, 1]);
        assert!(line.waiting.is_empty());
    }

    #[test]
    fn who_waits_often_enough_is_too_fast_and_others_are_not() {
        let turns = Turns::new(1, 2);
        turns.line().enter(1);
        turns.line().enter(1);
        let refused = turns.take(1, || Ok(()));
        assert_eq!(refused, Err(Refusal::TooFast { after: 1 }));
        turns.line().leave(1);
        turns.line().leave(1);
        assert_eq!(turns.take(2, || Ok(7)), Ok(7));
        assert_eq!(turns.take(1, || Ok(8)), Ok(8));
    }
}
