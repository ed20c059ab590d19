// A room as this page knows it: its order as far as loaded, its members, what is unread, what is to
// be sent. Frames go in; no socket, no document.

import * as store from './store.js';
import { millis } from './text.js';

const message = (uuid, seq, sender, name, text, sent, reply, modified) =>
	({ kind: 'message', uuid, seq, sender, name, text, sent: millis(sent), reply, modified });

export const erased = (entry) => Object.assign(entry, { kind: 'deleted', text: '' });

export class Room {
	constructor(id) {
		Object.assign(this, { id, name: store.known(id).name, members: new Map(), hands: [], typing: new Map() });
		/** 'yes', 'no', or why not any more: 'kicked', 'closed', 'gone'. '': not known yet. */
		this.member = '';
		/** locked, quiet, password */
		this.state = {};
		/** All up to this place was in view. */
		this.seen = store.get('seen.' + id);
		/** Own messages not known to be stored, oldest first: {uuid, text, reply, time, failed}. */
		this.pending = store.all('out.').filter(([, item]) => item.room === id).map(([uuid, item]) => ({ ...item, uuid }));
		this.pending.sort((a, b) => a.time - b.time);
		this.clear();
	}

	/** Forgets the order. */
	clear() {
		/** Sorted by `seq`, without a gap from `low` on. */
		this.entries = [];
		this.bySeq = new Map();
		this.byUuid = new Map();
		/** Changes of entries that are just being loaded. */
		this.late = [];
		/** The greatest `at` of a frame, never of an answer; at `goal` we are caught up. */
		this.cursor = this.goal = this.low = 0;
		this.loaded = this.gone = false;
		this.more = true;
		/** After this place is what was unread. */
		this.divider = null;
	}

	/** A frame of the order, new or old. Answers its entry if it was not here yet. */
	take(frame) {
		const { type, at, user, sent, data: d } = frame;
		this.cursor = Math.max(this.cursor, at);
		if (type !== 'recv' && type !== 'deleted') {
			return !this.bySeq.has(at) && this.add({ kind: type, seq: at, user, sent: millis(sent), frame });
		}
		const { uuid, seq } = d || frame;
		const known = this.byUuid.get(uuid) || this.bySeq.get(seq);
		this.settle(uuid);
		if (!known && seq === at) return this.add(d ? message(uuid, seq, d.sender, d.name, d.data.text, d.sent, d.reply, d.modified) : { kind: 'deleted', seq, uuid });
		// What is not here will be loaded as it is then, unless it is on its way as it was.
		if (!known && this.loading) this.late.push(frame);
		if (known && !d) erased(known);
		else if (known && known.text) Object.assign(known, { text: d.data.text, modified: d.modified });
	}

	add(entry) {
		let i = this.entries.length;
		while (i && this.entries[i - 1].seq > entry.seq) i--;
		this.entries.splice(i, 0, entry);
		this.bySeq.set(entry.seq, entry);
		this.byUuid.set(entry.uuid, entry);
		return entry;
	}

	/** A page of history: what stands before all that is here, or the newest. */
	page({ data, next, more, complete }) {
		const newer = this.entries;
		this.entries = [];
		data.forEach((frame) => this.take(frame));
		this.entries = this.entries.concat(newer).sort((a, b) => a.seq - b.seq);
		const late = this.late.splice(0);
		late.forEach((frame) => this.take(frame));
		Object.assign(this, { low: next, more, gone: !complete, loaded: true });
	}

	/** What a new frame changes beside the order. */
	live({ type, notice, user, target, on, to, until, at }) {
		const who = (target && this.members.get(target.id)) || {};
		if (type === 'joined') this.members.set(user.id, { ...user, online: true });
		else if (type === 'left') {
			this.members.delete(user.id);
			this.hands = this.hands.filter((id) => id !== user.id);
		} else if (notice === 'renamed') this.name = to;
		else if (notice === 'muted') who.muted = until;
		else if (notice === 'owner') who.owner = on;
		else if (notice === 'wiped') this.entries.filter((e) => e.sender === target.id && e.seq < at).forEach(erased);
		else if (notice) this.state[notice] = on;
	}

	setMembers(list) {
		this.members = new Map(list.map((m) => [m.id, m]));
		this.hands = list.filter((m) => m.hand).sort((a, b) => a.hand - b.hand).map((m) => m.id);
		this.counts = null;
	}

	/** Of a large room there are only numbers. */
	presence({ online = [], offline = [], onlineCount, memberCount }) {
		this.counts = memberCount && [onlineCount, memberCount];
		for (const id of [...online, ...offline]) if (this.members.has(id)) this.members.get(id).online = online.includes(id);
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

	/** Me as a member. */
	get me() {
		return this.members.get(store.me().id) || { id: store.me().id };
	}

	unread() {
		return this.entries.filter((e) => e.seq > this.seen && e.text && e.sender !== store.me().id).length;
	}

	/** All that is here was in view. */
	read() {
		const { seq } = this.entries[this.entries.length - 1] || { seq: 0 };
		if (this.seen === null || seq > this.seen) store.set('seen.' + this.id, this.seen = seq);
	}

	say(text, reply) {
		this.divider = null;
		this.pending.push({ uuid: store.uuid(), text, reply, time: Date.now() });
		this.keep(this.pending[this.pending.length - 1]);
	}

	keep({ uuid, ...item }) {
		store.set('out.' + uuid, { ...item, room: this.id });
	}

	/** It is stored, or given up. */
	settle(uuid) {
		const item = this.pending.find((p) => p.uuid === uuid);
		if (item) store.set('out.' + uuid, null);
		this.pending = this.pending.filter((p) => p !== item);
		return item;
	}

	/** The server has stored it. */
	stored({ uuid, seq, sent }) {
		const item = this.settle(uuid);
		if (item && !this.byUuid.has(uuid)) this.add(message(uuid, seq, this.me.id, this.me.name, item.text, sent, item.reply));
	}
}
