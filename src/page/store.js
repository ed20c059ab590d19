// What this device remembers; where localStorage is refused or full, this tab alone does.

const tab = {};

export function get(key) {
	try {
		return JSON.parse(tab[key] || localStorage['parlor.' + key]);
	} catch {
		return null;
	}
}

export function set(key, value) {
	const text = JSON.stringify(value);
	delete tab[key];
	try {
		localStorage['parlor.' + key] = text;
		if (value === null) delete localStorage['parlor.' + key];
	} catch {
		tab[key] = text;
	}
}

export function outbox() {
	try {
		return Object.keys(localStorage).filter((key) => key.startsWith('parlor.out.')).map((key) => get(key.slice(7)));
	} catch {
		return [];
	}
}

export const watch = (changed) => addEventListener('storage', (e) => e.key && changed(e.key.slice(7), !e.newValue));

/** Whom the server knows: `{id, token}`. */
export const me = () => get('me') || {};

/** Whose words wait to be sent: another person on this device has other ones. */
export const by = () => (me().token || '').slice(0, 8);

/** Rooms visited, the last one first: `{id, roomId, name, key}`; another database has another at that `id`. */
export const rooms = () => get('rooms') || [];
export const known = (id) => rooms().find((room) => room.id === id) || { id };

export function remember(id, fields) {
	set('rooms', [{ ...known(id), ...fields }, ...rooms().filter((room) => room.id !== id)].slice(0, 12));
}

/** Drops what can never be sent: of whom this device is no longer, or to the room `id`. */
export const sweep = (id) => outbox().forEach((p) => (p.by !== by() || p.room === id) && set('out.' + p.uuid, null));

/** The key of a room that one left stays: its only owner may come back. */
export function forget(id, left) {
	set('rooms', rooms().filter((room) => room.id !== id || (left && room.key)));
	set('seen.' + id, null);
	sweep(id);
}

/** A uuid v4; on plain http there is no `crypto.randomUUID`. */
export const uuid = () => 'xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx'.replace(/x/g, () => (crypto.getRandomValues(new Uint8Array(1))[0] % 16).toString(16));
