//! Threads that carry what is told in large rooms, so that the scribe goes on and small rooms do
//! not wait. A room has always the same porter, who keeps its order; in a very large one each socket has.
//!
//! Knows deliveries; not who made them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::deliver::{Closing, Delivery};

/// More than these only wait for one another: the kernel's work for a `send` is what takes time.
const MAX_PORTERS: usize = 4;
/// Deliveries that wait for one porter. What finds it full keeps the scribe waiting, and so
/// everybody who asks for more.
const MAX_WAITING: usize = 64;
/// How far they step back when all processors are busy: who writes, and small rooms, come first. What
/// waits for a porter meanwhile leaves with fewer writes.
const NICE: i32 = 10;
/// The exit code when a porter panicked: a supervisor starts parlor again.
const EXIT_PANIC: i32 = 70;
/// Encodes frames.
const STACK: usize = 512 * 1024;

enum Load {
    Tell(Delivery),
    /// Let go of when all before it has arrived.
    Hold(Arc<Closing>),
    /// Answered when all before it has arrived.
    Flush(Sender<()>),
    /// Nothing else can make a porter panic, as far as anybody knows.
    #[cfg(test)]
    Panic,
}

pub struct Porters {
    porters: Vec<Porter>,
}

struct Porter {
    /// None when it is to end.
    loads: Option<Sender<Load>>,
    thread: Option<JoinHandle<()>>,
}

impl Porters {
    /// One for each processor, within reason. Those that cannot be had are done without.
    pub fn start() -> Porters {
        let count = thread::available_parallelism().map_or(1, |n| n.get().min(MAX_PORTERS));
        let porter = |number| {
            let (loads, inbox) = bounded(MAX_WAITING);
            let thread = thread::Builder::new()
                .name(format!("porter-{number}"))
                .stack_size(STACK)
                .spawn(move || guard(inbox));
            let thread = thread.inspect_err(|e| log::warn!("no porter's thread: {e}"));
            Some(Porter {
                loads: Some(loads),
                thread: Some(thread.ok()?),
            })
        };
        Porters {
            porters: (0..count).filter_map(porter).collect(),
        }
    }

    /// Told by the room's porter, after what it carries already; in a very large room by all of them.
    pub fn carry(&self, delivery: Delivery) {
        let count = self.porters.len();
        if let Some(shares) = delivery.shares(count) {
            for (number, share) in shares.enumerate() {
                self.hand(number, share);
            }
            return;
        }
        let number = delivery.room.0 as usize % count.max(1);
        self.hand(number, delivery);
    }

    fn hand(&self, number: usize, mut delivery: Delivery) {
        delivery.count();
        let porter = self.porters.get(number);
        match porter.and_then(|porter| porter.loads.as_ref()) {
            // It ends with the process only.
            Some(loads) => drop(loads.send(Load::Tell(delivery))),
            None => delivery.run(),
        }
    }

    /// Whether each has something waiting that it has not begun with.
    pub fn are_behind(&self) -> bool {
        let mut loads = self.porters.iter().map(|porter| porter.loads.as_ref());
        !self.porters.is_empty() && loads.all(|loads| loads.is_some_and(|l| !l.is_empty()))
    }

    /// Closes sockets when all that is on its way has arrived.
    pub fn after_all(&self, closing: Closing) {
        let closing = Arc::new(closing);
        for loads in self.porters.iter().filter_map(|p| p.loads.as_ref()) {
            let _ = loads.send(Load::Hold(closing.clone()));
        }
    }

    /// Waits until all has arrived, or the deadline.
    pub fn flush(&self, deadline: Instant) {
        for loads in self.porters.iter().filter_map(|p| p.loads.as_ref()) {
            let (done, all) = bounded(1);
            let left = || deadline.saturating_duration_since(Instant::now());
            if loads.send_timeout(Load::Flush(done), left()).is_ok() {
                let _ = all.recv_timeout(left().max(Duration::from_millis(1)));
            }
        }
    }
}

impl Drop for Porters {
    fn drop(&mut self) {
        for porter in &mut self.porters {
            porter.loads = None;
            let _ = porter.thread.take().map(JoinHandle::join);
        }
    }
}

fn guard(inbox: Receiver<Load>) {
    // Of this thread alone; elsewhere it would be the whole process. Refused, it goes as fast as others.
    if cfg!(target_os = "linux") {
        let _ = rustix::process::setpriority_process(None, NICE);
    }
    if catch_unwind(AssertUnwindSafe(|| carry_all(&inbox))).is_err() {
        // Rooms that are told nothing any more would be worse than to end.
        log::error!("a porter panicked; parlor ends (committed messages are safe)");
        std::process::exit(EXIT_PANIC);
    }
}

/// What waits for one room is told at once: a burst leaves each socket as one write.
fn carry_all(inbox: &Receiver<Load>) {
    while let Ok(first) = inbox.recv() {
        let mut rooms: Vec<Delivery> = vec![];
        let (mut flushed, mut held) = (vec![], vec![]);
        for load in [first].into_iter().chain(inbox.try_iter()) {
            match load {
                Load::Tell(next) => match rooms.iter_mut().find(|room| room.room == next.room) {
                    Some(room) => room.join(next),
                    None => rooms.push(next),
                },
                Load::Hold(closing) => held.push(closing),
                Load::Flush(done) => flushed.push(done),
                #[cfg(test)]
                Load::Panic => panic!("as the test wants it"),
            }
        }
        // A small room does not wait for a large one.
        rooms.sort_by_key(Delivery::size);
        rooms.into_iter().for_each(Delivery::run);
        drop(held);
        for done in flushed {
            let _ = done.try_send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn porters_step_back() {
        let porters = Porters::start();
        let (done, all) = bounded(1);
        let loads = porters.porters[0].loads.as_ref().expect("it runs");
        loads.send(Load::Flush(done)).expect("it takes loads");
        all.recv_timeout(Duration::from_secs(10))
            .expect("it answers");
        // proc(5): the nineteenth field; the name before it may hold blanks.
        let nice = |stat: String| -> Option<i32> {
            let (_, fields) = stat.rsplit_once(") ")?;
            fields.split(' ').nth(16)?.parse().ok()
        };
        let own = std::fs::read_to_string("/proc/thread-self/stat")
            .ok()
            .and_then(nice);
        let own = own.expect("its own niceness");
        let tasks = std::fs::read_dir("/proc/self/task")
            .expect("its threads")
            .flatten();
        let mut of_porters = tasks.filter_map(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
            stat.contains("(porter-0)").then(|| nice(stat))?
        });
        assert!(
            of_porters.any(|nice| nice == NICE.max(own)),
            "no porter steps back"
        );
    }

    /// Runs itself again as the process that is to end.
    #[test]
    fn a_panic_of_a_porter_ends_the_process_with_a_code_that_a_supervisor_sees() {
        const CHILD: &str = "PARLOR_TEST_PORTER_PANICS";
        if std::env::var_os(CHILD).is_some() {
            let porters = Porters::start();
            let loads = porters.porters[0].loads.as_ref().expect("it runs");
            loads.send(Load::Panic).expect("it takes loads");
            // Joined here, it would have ended by itself.
            drop(porters);
            return;
        }
        let name = thread::current()
            .name()
            .expect("a test has a name")
            .to_owned();
        let test = std::env::current_exe().expect("this program");
        let mut child = Command::new(test);
        child
            .args([&name, "--exact", "--nocapture"])
            .env(CHILD, "1");
        let ended = child.output().expect("this test again");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(EXIT_PANIC), "{said}");
        assert!(said.contains("as the test wants it"), "{said}");
    }
}
