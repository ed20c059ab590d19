// What this device remembers; where localStorage is refused or full, this tab's memory does.
// Two tabs share it: what both might write has a key of its own.

const memory = {};
const disk = () => localStorage; // to touch it may throw already

export function get(key) {
	try {
		return JSON.parse(memory[key] || disk().getItem('parlor.' + key));
	} catch {
		return null;
	}
}

/** null forgets. */
export function set(key, value) {
	delete memory[key];
	const text = JSON.stringify(value);
	try {
		if (value === null) disk().removeItem('parlor.' + key);
		else disk().setItem('parlor.' + key, text);
	} catch {
		memory[key] = text;
	}
}

/** What is kept under keys that begin with `start`, by the rest of the key. */
export function all(start) {
	let names = [];
	try {
		names = Object.keys(disk()).map((key) => key.slice(7));
	} catch { /* memory alone */ }
	const found = new Map();
	for (const key of names.concat(Object.keys(memory))) {
		if (key.startsWith(start) && get(key)) found.set(key.slice(start.length), get(key));
	}
	return found;
}

/** Calls with a key that another tab has changed, and whether it is gone. */
export function watch(changed) {
	addEventListener('storage', (e) => e.key && changed(e.key.slice(7), e.newValue === null));
}

/** Whom the server knows this device as, `{id, token}`, or null. */
export const me = () => get('me');

/** Rooms visited, the last one first: `{id, name, key?}`; `key` is an owner's. */
export const rooms = () => get('rooms') || [];

export function remember(id, fields) {
	const old = rooms().find((room) => room.id === id);
	set('rooms', [{ ...old, id, ...fields }, ...rooms().filter((room) => room.id !== id)].slice(0, 12));
}

export function forget(id) {
	set('rooms', rooms().filter((room) => room.id !== id));
	set('seen.' + id, null);
}

/** A uuid v4: plain http has no `crypto.randomUUID`. */
export function uuid() {
	const b = crypto.getRandomValues(new Uint8Array(16));
	b[6] = (b[6] & 15) | 64;
	b[8] = (b[8] & 63) | 128;
	const hex = Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('');
	return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
