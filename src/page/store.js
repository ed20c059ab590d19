// What this device remembers; where localStorage is refused or full, this tab alone does.

let disk = {};
try {
	disk = localStorage || disk;
} catch {}

export function get(key) {
	try {
		return JSON.parse(disk['parlor.' + key]);
	} catch {
		return null;
	}
}

export function set(key, value) {
	const name = 'parlor.' + key;
	try {
		if (value === null) delete disk[name];
		else disk[name] = JSON.stringify(value);
	} catch {
		disk = { ...disk, [name]: JSON.stringify(value) };
	}
}

/** What is not known to be stored, the oldest first. */
export const outbox = () => Object.keys(disk).filter((key) => key.startsWith('parlor.out.')).map((key) => get(key.slice(7))).sort((a, b) => a.sent - b.sent);

/** Whom the server knows: `{id, token}`. */
export const me = () => get('me') || {};

/** Whose words wait to be sent. */
export const by = () => (me().token || '').slice(0, 8);

/** Rooms visited, the last one first: `{id, roomId, name, key}`; another database has another at that `id`. */
export const rooms = () => get('rooms') || [];
export const known = (id) => rooms().find((room) => room.id === id) || { id };

export function remember(id, fields) {
	set('rooms', [{ ...known(id), ...fields }, ...rooms().filter((room) => room.id !== id)].slice(0, 12));
}

/** The key of a room that one left stays: its only owner may come back. */
export function forget(id, left) {
	set('rooms', rooms().filter((room) => room.id !== id || (left && room.key)));
	set('seen.' + id, null);
}

/** A uuid v4; on plain http there is no `crypto.randomUUID`. */
export const uuid = () => 'xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx'.replace(/x/g, () => (crypto.getRandomValues(new Uint8Array(1))[0] % 16).toString(16));
