// Rooms and the socket together: what was missed comes, what is to be sent goes, exactly once.

import { ask, call, drop, net, send } from './net.js';
import { Room } from './room.js';
import * as store from './store.js';

const PAGE = 100;
/** Only on a dead connection an answer takes longer. */
const ACK_MS = 15000;
const TYPING_MS = 5000;

export const rooms = new Map();
/** `changed(room, entry)`: something of it is another; `entry` was just said. Set by who shows it. */
export const view = { changed() {} };

export function room(id) {
	if (!rooms.has(id)) rooms.set(id, new Room(id));
	return rooms.get(id);
}

net.changed = () => {
	if (net.state !== 'online') flying = null;
	else pump();
	view.changed();
};

net.resume = () => {
	const seen = {};
	for (const it of rooms.values()) if (it.loaded) seen[it.id] = it.cursor;
	return seen;
};

net.ended = (code) => {
	for (const it of rooms.values()) {
		if (it.member === 'yes') it.member = { 4001: 'kicked', 4002: 'closed' }[code] || 'gone';
		it.clear();
	}
};

net.heard = (frame, renewed) => {
	if (frame.type === 'auth') return greeted(frame, renewed);
	if (frame.type === 'send') return answered(frame);
	const it = rooms.get(frame.room || (frame.data && frame.data.room));
	if (!it) return;
	let entry;
	switch (frame.type) {
		case 'recv': case 'deleted': case 'joined': case 'left': case 'notice':
			if (frame.at > it.cursor) it.live(frame);
			entry = it.take(frame);
			if (entry) it.typing.delete(entry.sender);
			break;
		case 'presence': it.presence(frame); break;
		case 'hands': it.hands = frame.users; break;
		case 'typing': {
			const { id, name } = frame.user;
			it.typing.set(id, name);
			const timers = it.timers = it.timers || {};
			clearTimeout(timers[id]);
			timers[id] = setTimeout(() => it.typing.delete(id) && view.changed(it), TYPING_MS);
			break;
		}
		case 'kicked': case 'closed':
			it.member = frame.type;
			it.keptOut = frame.keptOut;
			it.clear();
	}
	view.changed(it, entry);
};

function learn(it, { name, locked, quiet, password }) {
	it.name = name || it.name;
	Object.assign(it.state, { locked, quiet }, password !== undefined && { password });
}

function greeted(frame, renewed) {
	for (const it of rooms.values()) {
		const told = frame.rooms.find((r) => r.id === it.id);
		if (!told) {
			it.member = it.member === 'yes' ? 'gone' : it.member || 'no';
			it.clear();
			continue;
		}
		it.member = 'yes';
		learn(it, told);
		const { loaded, cursor } = it;
		const whole = told.complete && !renewed;
		if (!whole) it.clear();
		it.lost = loaded && renewed;
		it.goal = told.at;
		if (!it.loaded) load(it);
		else members(it);
		if (loaded && !whole && !renewed) {
			// Too much was missed to send it: is it still kept?
			ask('history', { room: it.id, after: cursor, limit: 1 }).then((page) => {
				it.lost = page.complete === false;
				view.changed(it);
			});
		}
	}
}

/** The newest page, and who is here. */
export async function load(it) {
	if (!await page(it)) return;
	it.member = 'yes';
	it.cursor = Math.max(it.cursor, it.goal);
	if (it.seen === null) it.read();
	it.divider = it.unread() ? it.seen : null;
	members(it);
	pump();
	view.changed(it);
}

/** One more page of what stood before. */
export const older = (it, limit) => it.loaded && it.more && page(it, it.low, limit);

async function page(it, before, limit = PAGE) {
	if (it.loading || net.state !== 'online') return false;
	it.loading = true;
	const answer = await ask('history', { room: it.id, before, limit });
	it.loading = false;
	if (answer.code === 3 || answer.code === 4) it.member = 'no';
	if (answer.code === 0) it.page(answer);
	view.changed(it);
	return answer.code === 0;
}

export async function members(it) {
	const answer = await ask('members', { room: it.id });
	if (answer.code !== 0) return;
	it.setMembers(answer.data);
	if (answer.state) learn(it, answer.state);
	store.remember(it.id, { name: it.name });
	view.changed(it);
}

// ---- The outbox: one message in flight, so that none overtakes another ----

let flying = null;
let pause = 0;

/** Sends the next message, if it is time. */
function pump() {
	if (flying || net.state !== 'online' || pause > Date.now()) return;
	for (const it of rooms.values()) {
		const item = it.member === 'yes' && it.pending.find((p) => !p.failed);
		if (!item) continue;
		const { uuid, text, reply } = item;
		if (!send({ type: 'msg', uuid, room: it.id, reply, data: { type: 'Text', text } })) return;
		const flight = flying = { it, item };
		setTimeout(() => flying === flight && drop(), ACK_MS);
		return;
	}
}

function answered(frame) {
	if (!flying || flying.item.uuid !== frame.uuid) return;
	const { it, item } = flying;
	flying = null;
	if (frame.code === 0) it.stored(frame);
	else if (frame.code === 7 || frame.code === 9) {
		// Later, with the same uuid: it may have been stored.
		pause = Date.now() + 1000 * (frame.retryAfter || 1);
		setTimeout(pump, pause - Date.now() + 20);
	} else {
		item.failed = frame;
		it.keep(item);
	}
	view.changed(it);
	pump();
}

export function say(it, text, reply) {
	it.say(text, reply);
	view.changed(it);
	pump();
}

/** Once more, with the same uuid, unless that is another's. */
export function again(it, item) {
	const { code } = item.failed;
	delete item.failed;
	if (code === 8) {
		it.settle(item.uuid);
		it.say(item.text, item.reply);
	} else it.keep(item);
	view.changed(it);
	pump();
}

export function discard(it, item) {
	it.settle(item.uuid);
	view.changed(it);
}

store.watch((key, gone) => {
	if (!gone) return;
	// Another tab has sent it, or given it up.
	for (const it of rooms.values()) {
		if (flying && key === 'out.' + flying.item.uuid) continue;
		it.pending = it.pending.filter((p) => key !== 'out.' + p.uuid);
		view.changed(it);
	}
});

// ---- Requests ----

export async function edit(it, entry, text) {
	const answer = await ask('edit', { room: it.id, uuid: entry.uuid, data: { type: 'Text', text } });
	if (answer.code === 0) Object.assign(entry, { text, modified: true });
	view.changed(it);
	return answer;
}

export async function erase(it, entry) {
	const answer = await ask('delete', { room: it.id, uuid: entry.uuid });
	if (answer.code === 0) Room.erase(entry);
	view.changed(it);
	return answer;
}

let typed = 0;
export function typing(it) {
	if (Date.now() - typed < 3000) return;
	typed = Date.now();
	send({ type: 'typing', room: it.id });
}

const requests = {};

/** Makes a room or joins one; `ok` and the room's `id`, or a refusal. An answer that was lost makes
 * no second guest: the same attempt has the same `request`. */
export async function enter(path, body) {
	const key = path + JSON.stringify(body);
	const request = requests[key] = requests[key] || store.uuid();
	let answer = await call('POST', path, { ...body, request });
	if (answer.status === 401 && store.me()) {
		store.set('me', null);
		answer = await call('POST', path, { ...body, request });
	}
	if (answer.status) delete requests[key];
	const { success, data } = answer;
	if (!success) return answer;
	store.set('me', { id: data.user.id, token: data.token });
	store.set('name', data.user.userName);
	const owner = body.ownerKey || data.ownerKey;
	store.remember(data.room.id, { name: data.room.roomName, ...(owner && { key: owner }) });
	return { ok: true, id: data.room.id };
}

export async function leave(it) {
	const answer = await ask('leave', { room: it.id });
	if (answer.code === 0) {
		for (const { uuid } of it.pending) it.settle(uuid);
		rooms.delete(it.id);
		store.forget(it.id);
	}
	return answer;
}
