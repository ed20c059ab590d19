// A room as this page knows it: its order as far as loaded, its members, what is unread, what is to
// be sent. Frames go in; no document.

import { millis } from './text.js';
import * as store from './store.js';

export class Room {
	constructor(id) {
		this.id = id;
		this.name = (store.rooms().find((room) => room.id === id) || {}).name || '';
		/** 'yes', 'no', or why not any more: 'kicked', 'closed', 'gone'. '': not known yet. */
		this.member = '';
		/** locked, quiet, password. */
		this.state = {};
		this.members = new Map();
		this.hands = [];
		this.typing = new Map();
		/** All up to this place was in view. */
		this.seen = store.get('seen.' + id);
		/** Own messages not known to be stored, oldest first: {uuid, text, reply, time, failed}. */
		this.pending = [];
		for (const [uuid, item] of store.all('out.')) if (item.room === id) this.pending.push({ ...item, uuid });
		this.pending.sort((a, b) => a.time - b.time);
		this.clear();
	}

	/** Forgets the order. */
	clear() {
		/** Sorted by `seq`, without a gap from `low` on. */
		this.entries = [];
		this.bySeq = new Map();
		this.byUuid = new Map();
		/** Changes of entries that are being loaded. */
		this.late = [];
		/** The greatest `at` of a frame, never of an answer; `goal` is where we shall be caught up. */
		this.cursor = this.goal = this.low = 0;
		this.loaded = this.gone = false;
		this.more = true;
		/** What is unread begins after this place. */
		this.divider = null;
	}

	/** A frame of the order, new or old. Answers its entry if that is not here yet. */
	take(frame) {
		const { at, type, data: d } = frame;
		this.cursor = Math.max(this.cursor, at);
		if (type !== 'recv' && type !== 'deleted') {
			return this.bySeq.has(at) ? null : this.add({ kind: type, seq: at, user: frame.user, sent: millis(frame.sent), frame });
		}
		const { uuid, seq } = d || frame;
		const known = this.byUuid.get(uuid) || this.bySeq.get(seq);
		this.settle(uuid);
		if (!known) {
			// It is loaded later as it is then, unless it is on its way as it was.
			if (seq !== at) this.late.push(...(this.loading ? [frame] : []));
			else if (d) return this.add(Room.message(uuid, seq, d.sender, d.name, d.data.text, d.sent, d.reply, d.modified));
			else this.add({ kind: 'deleted', seq, uuid });
		} else if (!d) Room.erase(known);
		else if (known.kind === 'message') Object.assign(known, { text: d.data.text, modified: d.modified });
		return null;
	}

	static message(uuid, seq, sender, name, text, sent, reply, modified) {
		return { kind: 'message', uuid, seq, sender, name, text, sent: millis(sent), reply, modified };
	}

	static erase(entry) {
		entry.kind = 'deleted';
		entry.text = '';
	}

	add(entry) {
		let i = this.entries.length;
		while (i > 0 && this.entries[i - 1].seq > entry.seq) i--;
		this.entries.splice(i, 0, entry);
		this.bySeq.set(entry.seq, entry);
		if (entry.uuid) this.byUuid.set(entry.uuid, entry);
		return entry;
	}

	/** A page of history, all of it at once. */
	page({ data, next, more, complete }) {
		const newer = this.entries;
		this.entries = [];
		for (const frame of data) this.take(frame);
		const last = this.entries[this.entries.length - 1];
		this.entries = this.entries.concat(newer);
		if (newer.length && last && last.seq > newer[0].seq) this.entries.sort((a, b) => a.seq - b.seq);
		for (const frame of this.late.splice(0)) if (this.bySeq.has((frame.data || frame).seq)) this.take(frame);
		Object.assign(this, { low: next, more, gone: !complete, loaded: true });
	}

	/** What a new frame changes beside the order. */
	live({ type, notice, user, target, on, to, until, at }) {
		const who = target && this.members.get(target.id);
		if (type === 'joined') this.members.set(user.id, { ...user, online: true });
		else if (type === 'left') {
			this.members.delete(user.id);
			this.hands = this.hands.filter((id) => id !== user.id);
		} else if (notice === 'renamed') this.name = to;
		else if (notice === 'muted' && who) who.muted = until;
		else if (notice === 'owner' && who) who.owner = on;
		else if (notice === 'wiped') {
			for (const entry of this.entries) if (entry.kind === 'message' && entry.sender === target.id && entry.seq < at) Room.erase(entry);
		} else if (notice) this.state[notice] = on;
	}

	setMembers(list) {
		this.members = new Map(list.map((member) => [member.id, member]));
		this.hands = list.filter((m) => m.hand).sort((a, b) => a.hand - b.hand).map((m) => m.id);
		this.counts = null;
	}

	presence({ online, offline, onlineCount, memberCount }) {
		// A large room is told in numbers.
		this.counts = memberCount ? [onlineCount, memberCount] : null;
		for (const [ids, is] of [[online, true], [offline, false]]) {
			for (const id of ids || []) if (this.members.has(id)) this.members.get(id).online = is;
		}
	}

	/** How many are here, of how many. */
	count() {
		return this.counts || [[...this.members.values()].filter((m) => m.online).length, this.members.size];
	}

	/** The avatar of a member, or of one who left. */
	face(id) {
		const { user } = this.entries.find((e) => e.user && e.user.id === id) || {};
		return (this.members.get(id) || user || { avatar: id }).avatar;
	}

	myId() {
		return (store.me() || {}).id;
	}

	myself() {
		return this.members.get(this.myId()) || {};
	}

	/** Until when I am muted, or 0. */
	muted() {
		const until = millis(this.myself().muted || '');
		return until > Date.now() ? until : 0;
	}

	unread() {
		const me = this.myId();
		let n = 0;
		for (let i = this.entries.length; i-- && this.entries[i].seq > this.seen;) {
			if (this.entries[i].kind === 'message' && this.entries[i].sender !== me) n++;
		}
		return n;
	}

	/** All that is here was in view. */
	read() {
		const { seq } = this.entries[this.entries.length - 1] || { seq: 0 };
		if (this.seen !== null && seq <= this.seen) return;
		store.set('seen.' + this.id, this.seen = seq);
	}

	say(text, reply) {
		const item = { uuid: store.uuid(), text, reply, time: Date.now() };
		this.divider = null;
		this.pending.push(item);
		this.keep(item);
	}

	keep({ uuid, ...item }) {
		store.set('out.' + uuid, { ...item, room: this.id });
	}

	/** It is stored, or given up. */
	settle(uuid) {
		if (!this.pending.some((p) => p.uuid === uuid)) return;
		this.pending = this.pending.filter((p) => p.uuid !== uuid);
		store.set('out.' + uuid, null);
	}

	/** The server has stored it. */
	stored({ uuid, seq, sent }) {
		const item = this.pending.find((p) => p.uuid === uuid);
		this.settle(uuid);
		if (item && !this.byUuid.has(uuid)) {
			this.add(Room.message(uuid, seq, this.myId(), this.myself().name, item.text, sent, item.reply, false));
		}
	}
}
