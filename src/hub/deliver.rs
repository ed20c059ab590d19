//! One committed batch on its way to the sockets: each frame is encoded once, each socket gets
//! all of the batch as one write, in the order's order.
//!
//! Knows who is to hear what; takes no lock but each socket's own.

use std::collections::HashMap;
use std::sync::Arc;

use tungstenite::Bytes;

use super::live::Ear;
use super::socket::{Close, Socket, text_frame};
use crate::model::{Entry, UserNo};
use crate::wire::socket as wire;

#[derive(Default)]
pub struct Delivery {
    /// In the order of the batch; consecutive entries of one audience are together.
    parts: Vec<Part>,
    /// Sockets that get something of their own: what, and its index in the batch.
    own: HashMap<u64, (Arc<Socket>, Frames)>,
    /// Sockets that end with this batch, after its frames.
    closing: Vec<(Arc<Socket>, Close)>,
}

/// Frames, each with its command's index in the batch.
type Frames = Vec<(usize, Bytes)>;

/// Entries of one room that the same sockets hear.
struct Part {
    ears: Arc<Vec<Ear>>,
    items: Vec<Item>,
}

struct Item {
    index: usize,
    entry: Arc<Entry>,
    /// The socket that asked for it: its answer tells it.
    origin: Option<u64>,
}

impl Item {
    fn is_for(&self, ear: &Ear) -> bool {
        self.origin != Some(ear.socket.id) && wire::is_for(&self.entry, ear.user, ear.v)
    }
}

impl Delivery {
    /// An entry of the batch's command `index`, for `ears`.
    pub fn add(
        &mut self,
        index: usize,
        entry: Arc<Entry>,
        ears: Arc<Vec<Ear>>,
        origin: Option<u64>,
    ) {
        if ears.is_empty() {
            return;
        }
        let item = Item {
            index,
            // Only a message has an answer that stands for it.
            origin: origin.filter(|_| entry.message().is_some()),
            entry,
        };
        match self
            .parts
            .iter_mut()
            .rev()
            .find(|part| Arc::ptr_eq(&part.ears, &ears))
        {
            Some(part) => part.items.push(item),
            None => self.parts.push(Part {
                ears,
                items: vec![item],
            }),
        }
    }

    /// The answer to the batch's command `index`.
    pub fn answer(&mut self, index: usize, socket: Arc<Socket>, frame: String) {
        let own = self
            .own
            .entry(socket.id)
            .or_insert_with(|| (socket, vec![]));
        own.1.push((index, text_frame(frame)));
    }

    pub fn close(&mut self, socket: Arc<Socket>, why: Close) {
        self.closing.push((socket, why));
    }

    /// Writes it all.
    pub fn run(mut self) {
        for Part { ears, items } in &self.parts {
            let items: Vec<_> = items
                .iter()
                .map(|item| (item, text_frame(wire::frame(&item.entry))))
                .collect();
            let mut authors: Vec<UserNo> = items.iter().map(|(item, _)| item.entry.user).collect();
            authors.sort();
            authors.dedup();
            // What everybody gets who said nothing in this batch, by version.
            let (mut plain, mut full) = (None, None);
            for ear in ears.iter() {
                let heard = items.iter().filter(|(item, _)| item.is_for(ear));
                if authors.binary_search(&ear.user).is_ok() || self.own.contains_key(&ear.socket.id)
                {
                    let own = self.own.entry(ear.socket.id);
                    let own = own.or_insert_with(|| (ear.socket.clone(), vec![]));
                    own.1
                        .extend(heard.map(|(item, frame)| (item.index, frame.clone())));
                    continue;
                }
                let shared = if ear.v == 0 { &mut plain } else { &mut full };
                let chunk = shared.get_or_insert_with(|| joined(heard.map(|(_, frame)| frame)));
                if !chunk.is_empty() {
                    ear.socket.push(chunk.clone());
                }
            }
        }
        for (socket, mut frames) in self.own.into_values() {
            frames.sort_by_key(|(index, _)| *index);
            let chunk = joined(frames.iter().map(|(_, frame)| frame));
            if !chunk.is_empty() {
                socket.push(chunk);
            }
        }
        for (socket, why) in self.closing {
            socket.close(why);
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
