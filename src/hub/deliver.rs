//! One room's share of committed batches on its way to the sockets: each frame is encoded once,
//! each socket gets all of it as one write, in the order's order.
//!
//! Knows who is to hear what; takes no lock but each socket's own.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tungstenite::Bytes;

use super::live::Ear;
use super::socket::{Close, Socket, text_frame};
use crate::model::{Entry, RoomNo, UserNo};
use crate::wire::{Lang, socket as wire};

/// Sockets that are looked at together before they are written to: what one of them keeps the
/// memory waiting for, all of them do at once.
const AT_ONCE: usize = 16;

/// Says which came first, of all that is ever published.
pub type Turn = u64;

/// Frames, each with its turn.
type Frames = Vec<(Turn, Bytes)>;

/// Sockets of a room that one porter brings it to: some milliseconds. A larger room is shared by all.
const WIDE: usize = 500;

/// What of one room was handed to porters.
#[derive(Default)]
pub struct Way {
    /// Deliveries that have not arrived.
    loads: AtomicUsize,
    /// All porters share its sockets. Changes only while nothing is on its way: a socket has always the
    /// same porter, or it would not hear in the room's order.
    wide: AtomicBool,
}

/// What is to be told in one room.
pub struct Delivery {
    pub room: RoomNo,
    /// In the order of the room; consecutive entries of one audience are together.
    parts: Vec<Part>,
    answers: Vec<(Turn, Arc<Socket>, Bytes)>,
    /// What single sockets are told besides, after the entries of that turn.
    tells: Vec<(Turn, Arc<Socket>, Bytes)>,
    lang: Lang,
    way: Arc<Way>,
    /// How many of its loads this one is.
    counted: usize,
    /// Which sockets this is for.
    share: Share,
}

/// One of so many shares of a room's sockets.
#[derive(Clone, Copy)]
struct Share {
    number: usize,
    of: usize,
}

impl Share {
    fn has(self, socket: u64) -> bool {
        socket % self.of as u64 == self.number as u64
    }
}

/// Entries that the same sockets hear.
struct Part {
    ears: Arc<Vec<Ear>>,
    items: Vec<Item>,
}

impl Part {
    /// Of its items' frames those that are for this one, each with its turn.
    fn heard_by<'a>(
        &'a self,
        ear: &'a Ear,
        frames: &'a [Bytes],
    ) -> impl Iterator<Item = (Turn, &'a Bytes)> {
        let items = self.items.iter().zip(frames);
        let heard = items.filter(|(item, _)| item.is_for(ear));
        heard.map(|(item, frame)| (item.turn, frame))
    }
}

#[derive(Clone)]
struct Item {
    turn: Turn,
    entry: Arc<Entry>,
    /// The socket that asked for it: its answer tells it.
    origin: Option<u64>,
}

impl Item {
    fn is_for(&self, ear: &Ear) -> bool {
        self.origin != Some(ear.id) && wire::is_for(&self.entry, ear.user, ear.v)
    }
}

impl Delivery {
    /// `lang` is that of the notices.
    pub fn to(room: RoomNo, way: Arc<Way>, lang: Lang) -> Delivery {
        Delivery {
            room,
            parts: vec![],
            answers: vec![],
            tells: vec![],
            lang,
            way,
            counted: 0,
            share: Share { number: 0, of: 1 },
        }
    }

    /// An entry for `ears`.
    pub fn add(&mut self, turn: Turn, entry: Arc<Entry>, ears: Arc<Vec<Ear>>, origin: Option<u64>) {
        if ears.is_empty() {
            return;
        }
        let item = Item {
            turn,
            // Only a message has an answer that stands for it.
            origin: origin.filter(|_| entry.message().is_some()),
            entry,
        };
        self.append(Part {
            ears,
            items: vec![item],
        });
    }

    fn append(&mut self, mut more: Part) {
        match self.parts.last_mut() {
            Some(last) if Arc::ptr_eq(&last.ears, &more.ears) => last.items.append(&mut more.items),
            _ => self.parts.push(more),
        }
    }

    pub fn answer(&mut self, turn: Turn, socket: Arc<Socket>, frame: String) {
        self.answers.push((turn, socket, text_frame(frame)));
    }

    pub fn tell(&mut self, turn: Turn, socket: Arc<Socket>, frame: Bytes) {
        self.tells.push((turn, socket, frame));
    }

    /// What follows it in the same room is told with it.
    pub fn join(&mut self, next: Delivery) {
        next.parts.into_iter().for_each(|part| self.append(part));
        self.answers.extend(next.answers);
        self.tells.extend(next.tells);
        self.counted += next.counted;
    }

    /// How many sockets it is written to, near enough.
    pub fn size(&self) -> usize {
        let ears = self.parts.iter().map(|part| part.ears.len());
        ears.sum::<usize>() + self.tells.len()
    }

    /// Nothing that was told in this room before is still on its way.
    pub fn is_next(&self) -> bool {
        self.way.loads.load(Ordering::Acquire) == 0
    }

    /// What each of so many porters is to bring: all of it to some sockets, if the room is large, else
    /// all of it to all (None).
    pub fn shares(&self, porters: usize) -> Option<impl Iterator<Item = Delivery> + '_> {
        if self.is_next() {
            let wide = porters > 1 && self.size() > WIDE;
            self.way.wide.store(wide, Ordering::Relaxed);
        }
        let is_wide = self.way.wide.load(Ordering::Relaxed);
        is_wide.then(|| (0..porters).map(move |number| self.share(number, porters)))
    }

    fn share(&self, number: usize, of: usize) -> Delivery {
        let share = Share { number, of };
        let is_for = |(_, socket, _): &&(Turn, Arc<Socket>, Bytes)| share.has(socket.id);
        let parts = self.parts.iter().map(|part| Part {
            ears: part.ears.clone(),
            items: part.items.clone(),
        });
        Delivery {
            room: self.room,
            parts: parts.collect(),
            answers: self.answers.iter().filter(is_for).cloned().collect(),
            tells: self.tells.iter().filter(is_for).cloned().collect(),
            lang: self.lang,
            way: self.way.clone(),
            counted: 0,
            share,
        }
    }

    /// Before it is handed to a porter.
    pub fn count(&mut self) {
        self.way.loads.fetch_add(1, Ordering::Relaxed);
        self.counted += 1;
    }

    /// Writes it all: first to those who wait for an answer.
    pub fn run(self) {
        // Sockets that get something of their own, and what, each with its turn.
        let mut own: HashMap<u64, (&Arc<Socket>, Frames)> = HashMap::new();
        for (turn, socket, frame) in &self.answers {
            let frames = &mut own.entry(socket.id).or_insert((socket, vec![])).1;
            frames.push((*turn, frame.clone()));
        }
        let told = self.tells.iter().map(|(_, socket, _)| socket.id);
        let mut answered: Vec<u64> = own.keys().copied().chain(told).collect();
        answered.sort_unstable();
        // Of all parts: who gets something of its own gets it all at once.
        let items = self.parts.iter().flat_map(|part| &part.items);
        let mut authors: Vec<UserNo> = items.map(|item| item.entry.user).collect();
        authors.sort_unstable();
        authors.dedup();
        let is_own = |ear: &Ear| {
            authors.binary_search(&ear.user).is_ok() || answered.binary_search(&ear.id).is_ok()
        };
        let encoded = |part: &Part| -> Vec<Bytes> {
            let entries = part.items.iter().map(|item| &item.entry);
            let frames = entries.map(|entry| text_frame(wire::frame(entry, self.lang)));
            frames.collect()
        };
        let parts = self.parts.iter().map(|part| (part, encoded(part)));
        let parts: Vec<(&Part, Vec<Bytes>)> = parts.collect();
        for (part, frames) in &parts {
            for ear in part
                .ears
                .iter()
                .filter(|ear| self.share.has(ear.id) && is_own(ear))
            {
                let heard = part.heard_by(ear, frames);
                let own = &mut own.entry(ear.id).or_insert((&ear.socket, vec![])).1;
                own.extend(heard.map(|(turn, frame)| (turn, frame.clone())));
            }
        }
        for (turn, socket, frame) in &self.tells {
            let frames = &mut own.entry(socket.id).or_insert((socket, vec![])).1;
            frames.push((*turn, frame.clone()));
        }
        for (socket, mut frames) in own.into_values() {
            frames.sort_by_key(|(turn, _)| *turn);
            let chunk = joined(frames.iter().map(|(_, frame)| frame));
            if !chunk.is_empty() {
                socket.push(&chunk);
            }
        }
        for (part, frames) in &parts {
            // What everybody gets who said nothing in it, by version.
            let (mut plain, mut full) = (None, None);
            for group in part.ears.chunks(AT_ONCE) {
                black_box(group.iter().map(|ear| ear.socket.touch()).sum::<i64>());
                for ear in group {
                    if !self.share.has(ear.id) || is_own(ear) {
                        continue;
                    }
                    let shared = if ear.v == 0 { &mut plain } else { &mut full };
                    let heard = part.heard_by(ear, frames).map(|(_, frame)| frame);
                    let chunk = shared.get_or_insert_with(|| joined(heard));
                    if !chunk.is_empty() {
                        ear.socket.push(chunk);
                    }
                }
            }
        }
        for (_, socket, _) in &self.answers {
            socket.owed.fetch_sub(1, Ordering::SeqCst);
        }
        self.way.loads.fetch_sub(self.counted, Ordering::Release);
    }
}

/// Sockets that end with a batch, after everything that was to be told before: when the last who
/// has something to tell lets go of this.
pub struct Closing(pub Vec<(Arc<Socket>, Close)>);

impl Drop for Closing {
    fn drop(&mut self) {
        for (socket, why) in &self.0 {
            socket.close(*why);
        }
    }
}

/// Frames as one chunk; a single one is not copied.
fn joined<'a>(mut frames: impl Iterator<Item = &'a Bytes>) -> Bytes {
    let Some(first) = frames.next() else {
        return Bytes::new();
    };
    let Some(second) = frames.next() else {
        return first.clone();
    };
    let mut all = [first.as_ref(), second.as_ref()].concat();
    frames.for_each(|frame| all.extend_from_slice(frame));
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use crate::model::{Body, Message, TokenHash};
    use uuid::Uuid;

    fn ear(user: i64) -> (Ear, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let patience = Some(Duration::from_secs(10));
        client.set_read_timeout(patience).unwrap();
        let stream = Arc::new(listener.accept().unwrap().0);
        let ear = Ear {
            id: user as u64,
            socket: Socket::new(user as u64, "ws-test", stream),
            user: UserNo(user),
            token: TokenHash([0; 32]),
            v: 1,
            behind: vec![],
        };
        (ear, client)
    }

    fn said(at: u64, user: i64) -> Arc<Entry> {
        let message = Message {
            uuid: Uuid::nil(),
            text: "hello".into(),
            reply: None,
            modified: false,
        };
        Arc::new(Entry {
            room: RoomNo(1),
            at,
            sent: 0,
            user: UserNo(user),
            user_id: Uuid::nil(),
            name: "Ada".into(),
            body: Body::Message(message),
        })
    }

    /// The places of the frames that a client got.
    fn places(mut client: TcpStream) -> Vec<u64> {
        let mut all = String::new();
        let mut bytes = vec![];
        client.read_to_end(&mut bytes).unwrap();
        all.push_str(&String::from_utf8_lossy(&bytes));
        let ends = all
            .match_indices(r#"},"at":"#)
            .map(|(i, mark)| &all[i + mark.len()..]);
        ends.map(|rest| rest[..rest.find('}').unwrap()].parse().unwrap())
            .collect()
    }

    #[test]
    fn an_author_hears_in_order_also_when_the_audience_changes_within_a_batch() {
        let ((ada, adas), (bob, bobs)) = (ear(1), ear(2));
        let both = Arc::new(vec![ada.clone(), bob.clone()]);
        let later = Arc::new(vec![bob, ada]);
        let mut delivery = Delivery::to(RoomNo(1), Arc::default(), Lang::En);
        // Ada speaks over HTTP, so that this socket of hers hears it.
        delivery.add(1, said(1, 1), both.clone(), None);
        delivery.add(2, said(2, 3), later.clone(), None);
        delivery.add(3, said(3, 1), later, None);
        let mut next = Delivery::to(RoomNo(1), Arc::default(), Lang::En);
        next.add(4, said(4, 2), both, None);
        delivery.join(next);
        delivery.run();
        for client in [adas, bobs] {
            assert_eq!(places(client), [1, 2, 3, 4]);
        }
    }

    fn handed(mut delivery: Delivery) -> Delivery {
        delivery.count();
        delivery
    }

    #[test]
    fn of_all_shares_each_socket_has_one_and_hears_all_in_order() {
        let members: Vec<_> = (1..=5).map(ear).collect();
        let (ears, clients): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        let asker = ears[2].socket.clone();
        let ears = Arc::new(ears);
        let mut delivery = Delivery::to(RoomNo(1), Arc::default(), Lang::En);
        delivery.add(1, said(1, 3), ears.clone(), None);
        asker.owed.store(1, Ordering::SeqCst);
        delivery.answer(2, asker.clone(), r#"{"data":{},"at":2}"#.into());
        delivery.add(3, said(3, 9), ears, None);
        let shares: Vec<_> = (0..3).map(|n| handed(delivery.share(n, 3))).collect();
        assert!(!delivery.is_next());
        shares.into_iter().rev().for_each(Delivery::run);
        assert!(delivery.is_next());
        assert_eq!(asker.owed.load(Ordering::SeqCst), 0);
        drop((delivery, asker));
        for (n, client) in clients.into_iter().enumerate() {
            let heard: &[u64] = if n == 2 { &[1, 2, 3] } else { &[1, 3] };
            assert_eq!(places(client), heard, "user {}", n + 1);
        }
    }

    #[test]
    fn who_brings_what_does_not_change_while_something_is_on_its_way() {
        let (ada, _client) = ear(1);
        let of = |way: &Arc<Way>, size: usize| {
            let mut delivery = Delivery::to(RoomNo(1), way.clone(), Lang::En);
            delivery.add(1, said(1, 9), Arc::new(vec![ada.clone(); size]), None);
            delivery
        };
        let (small, large) = (WIDE, WIDE + 1);
        let is_shared = |delivery: &Delivery| delivery.shares(2).is_some();
        for (first, then) in [(small, large), (large, small)] {
            let way = Arc::default();
            let under_way = of(&way, first);
            let shared = is_shared(&under_way);
            assert_eq!(shared, first == large);
            let under_way = handed(under_way);
            let next = of(&way, then);
            assert_eq!(is_shared(&next), shared, "it would overtake the one before");
            way.loads.fetch_sub(under_way.counted, Ordering::Release);
            assert_eq!(is_shared(&next), !shared);
            assert!(next.shares(1).is_none(), "with whom?");
        }
    }
}
