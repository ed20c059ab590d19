//! What waits for the scribe, and which of it makes the next batch.
//!
//! Who asks for one thing at a time does not wait until those who ask for many have had them all.
//! Knows who asks; not for what.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::desk::Job;
use super::{MAX_BATCH, MAX_WAITING};
use crate::hub::Waiter;
use crate::hub::socket::Socket;

/// Commands of one socket in a batch, while somebody is there who asks for one thing at a time: forty
/// who write as fast as they can make a batch of two or three milliseconds …
const SHARE: usize = 2;
/// … and for so long after: what is asked next should not find a long batch under way.
const COURTESY: Duration = Duration::from_secs(1);

/// Commands that share the cost of a commit well enough.
const ENOUGH: usize = 256;

#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Job>,
    /// Who asked for one thing lately, in that order, and until when batches are short for it. A socket's
    /// first question may have been the first of many: then they are not.
    modest: VecDeque<(Instant, Option<Weak<Socket>>)>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes what has come. True while who asks for one thing is not to be kept waiting.
    fn fill(&mut self, inbox: &Receiver<Job>) -> bool {
        let (known, now) = (self.waiting.len(), Instant::now());
        self.waiting
            .extend(inbox.try_iter().take(MAX_WAITING - known));
        let come = self.waiting.iter().skip(known).filter(|job| is_modest(job));
        let who = come.map(|job| (now + COURTESY, socket(job).map(Arc::downgrade)));
        self.modest.extend(who);
        let over = self.modest.partition_point(|(until, _)| *until <= now);
        self.modest.drain(..over);
        let counts = |(_, who): &(Instant, Option<Weak<Socket>>)| {
            let is_still = |socket: Arc<Socket>| socket.is_modest();
            who.as_ref()
                .is_none_or(|socket| socket.upgrade().is_some_and(is_still))
        };
        while self.modest.back().is_some_and(|last| !counts(last)) {
            self.modest.pop_back();
        }
        !self.modest.is_empty()
    }

    /// Whether all that waits are commands of those who ask for many, and still few.
    pub(super) fn can_wait(&mut self, inbox: &Receiver<Job>) -> bool {
        let is_command = |job: &Job| matches!(job, Job::Do(..));
        !self.fill(inbox)
            && (1..ENOUGH).contains(&self.waiting.len())
            && self.waiting.iter().all(is_command)
    }

    /// The next batch. What one socket asked for stays in its order.
    pub(super) fn next(&mut self, inbox: &Receiver<Job>) -> Vec<Job> {
        let share = match self.fill(inbox) {
            true => SHARE,
            false => MAX_BATCH,
        };
        let mut taken: HashMap<u64, usize> = HashMap::new();
        let (mut batch, mut left) = (Vec::with_capacity(self.waiting.len()), VecDeque::new());
        for job in self.waiting.drain(..) {
            let before = socket(&job).map(|socket| taken.entry(socket.id).or_default());
            let has_had = before.map_or(0, |n| std::mem::replace(n, *n + 1));
            match has_had < share && batch.len() < MAX_BATCH {
                true => batch.push(job),
                false => left.push_back(job),
            }
        }
        self.waiting = left;
        batch
    }

    /// All of it, for the end.
    pub(super) fn rest(&mut self, inbox: &Receiver<Job>) -> Vec<Job> {
        self.waiting.drain(..).chain(inbox.try_iter()).collect()
    }
}

fn socket(job: &Job) -> Option<&Arc<Socket>> {
    match job {
        Job::Do(_, Waiter::Socket(socket, _)) => Some(socket),
        _ => None,
    }
}

/// Asked by somebody who waits for the answer before it asks again.
fn is_modest(job: &Job) -> bool {
    match job {
        Job::Do(_, Waiter::Slot(_)) => true,
        job => socket(job).is_some_and(|socket| socket.is_modest()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    use crossbeam_channel::{Sender, unbounded};

    use crate::model::{Act, Command, TokenHash};

    struct Desk {
        jobs: Sender<Job>,
        inbox: Receiver<Job>,
        streams: Vec<TcpStream>,
        asked: i64,
    }

    impl Desk {
        fn new() -> Desk {
            let (jobs, inbox) = unbounded();
            Desk {
                jobs,
                inbox,
                streams: vec![],
                asked: 0,
            }
        }

        fn socket(&mut self) -> Arc<Socket> {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            self.streams.push(client);
            let stream = Arc::new(listener.accept().unwrap().0);
            Socket::new(self.streams.len() as u64, "ws-test", stream)
        }

        fn ask(&mut self, socket: &Arc<Socket>) {
            socket.ask();
            self.hand_in(Waiter::Socket(socket.clone(), Box::new(|_| String::new())));
        }

        /// Numbered by its time, in the order of asking.
        fn hand_in(&mut self, waiter: Waiter) {
            let (now, token) = (self.asked, TokenHash([0; 32]));
            let act = Act::Logout { token };
            self.asked += 1;
            let job = Job::Do(Box::new(Command { now, act }), waiter);
            self.jobs.send(job).unwrap();
        }
    }

    fn numbers(batch: &[Job]) -> Vec<i64> {
        let number = |job: &Job| match job {
            Job::Do(command, _) => command.now,
            _ => panic!("nobody asked for that"),
        };
        batch.iter().map(number).collect()
    }

    #[test]
    fn who_asks_for_one_thing_waits_for_two_of_each_who_ask_for_many() {
        let (mut desk, mut queue) = (Desk::new(), Queue::default());
        let (ada, bob, eve) = (desk.socket(), desk.socket(), desk.socket());
        for _ in 0..4 {
            desk.ask(&ada);
            desk.ask(&bob);
        }
        desk.ask(&eve);
        assert_eq!(numbers(&queue.next(&desk.inbox)), [0, 1, 2, 3, 8]);
        assert!(!queue.is_empty());
        // What comes later does not overtake what its own socket asked for before.
        desk.ask(&ada);
        assert_eq!(numbers(&queue.next(&desk.inbox)), [4, 5, 6, 7]);
        assert_eq!(numbers(&queue.next(&desk.inbox)), [9]);
        assert!(queue.is_empty() && queue.next(&desk.inbox).is_empty());
    }

    #[test]
    fn only_what_those_ask_for_who_ask_for_many_may_wait_for_more() {
        let (mut desk, mut queue) = (Desk::new(), Queue::default());
        assert!(!queue.can_wait(&desk.inbox), "there is nothing");
        let (ada, eve) = (desk.socket(), desk.socket());
        desk.ask(&ada);
        desk.ask(&ada);
        assert!(queue.can_wait(&desk.inbox));
        (2..ENOUGH).for_each(|_| desk.ask(&ada));
        assert!(!queue.can_wait(&desk.inbox), "it is enough");
        queue.next(&desk.inbox);
        (0..2).for_each(|_| desk.ask(&ada));
        desk.jobs.send(Job::Look).unwrap();
        assert!(!queue.can_wait(&desk.inbox), "something else is due");
        queue.next(&desk.inbox);
        (0..2).for_each(|_| desk.ask(&ada));
        desk.ask(&eve);
        assert!(!queue.can_wait(&desk.inbox), "eve waits");
        queue.next(&desk.inbox);
        (0..2).for_each(|_| desk.ask(&ada));
        assert!(!queue.can_wait(&desk.inbox), "eve may ask again");
    }

    #[test]
    fn whose_first_question_was_the_first_of_many_is_no_reason_for_short_batches() {
        let (mut desk, mut queue) = (Desk::new(), Queue::default());
        let (ada, bob) = (desk.socket(), desk.socket());
        desk.ask(&ada);
        assert_eq!(numbers(&queue.next(&desk.inbox)), [0]);
        (0..4).for_each(|_| desk.ask(&bob));
        assert_eq!(
            numbers(&queue.next(&desk.inbox)),
            [1, 2],
            "ada may ask again"
        );
        desk.ask(&ada);
        assert_eq!(numbers(&queue.next(&desk.inbox)), [3, 4, 5]);
    }

    #[test]
    fn batches_stay_short_for_some_when_others_turn_out_to_ask_for_many_or_are_gone() {
        let by_http = |desk: &mut Desk, _: &Arc<Socket>| desk.hand_in(Waiter::Slot(Arc::default()));
        for ask in [by_http, Desk::ask] {
            let (mut desk, mut queue) = (Desk::new(), Queue::default());
            let [ada, bob, cleo, eve] = [(); 4].map(|()| desk.socket());
            desk.ask(&ada);
            ask(&mut desk, &eve);
            desk.ask(&cleo);
            assert_eq!(queue.next(&desk.inbox).len(), 3);
            desk.ask(&ada);
            drop(cleo);
            (0..100).for_each(|_| desk.ask(&bob));
            assert_eq!(numbers(&queue.next(&desk.inbox)), [3, 4, 5]);
        }
    }

    #[test]
    fn where_all_ask_for_many_a_batch_takes_all_of_it() {
        let (mut desk, mut queue) = (Desk::new(), Queue::default());
        let ada = desk.socket();
        for _ in 0..100 {
            desk.ask(&ada);
        }
        assert_eq!(numbers(&queue.next(&desk.inbox)), Vec::from_iter(0..100));
    }

    #[test]
    fn no_batch_is_longer_than_the_limit_and_the_end_takes_the_rest() {
        let (mut desk, mut queue) = (Desk::new(), Queue::default());
        let ada = desk.socket();
        for _ in 0..=MAX_BATCH {
            desk.ask(&ada);
        }
        assert_eq!(queue.next(&desk.inbox).len(), MAX_BATCH);
        desk.ask(&ada);
        let last = MAX_BATCH as i64;
        assert_eq!(numbers(&queue.rest(&desk.inbox)), [last, last + 1]);
        assert!(queue.is_empty());
    }
}
