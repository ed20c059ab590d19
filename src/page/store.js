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

export function all(start) {
	try {
		const keys = Object.keys(localStorage).map((key) => key.slice(7)).filter((key) => key.startsWith(start));
		return keys.map((key) => [key.slice(start.length), get(key)]);
	} catch {
		return [];
	}
}

export const watch = (changed) => addEventListener('storage', (e) => e.key && changed(e.key.slice(7), !e.newValue));

/** Whom the server knows: `{id, token}`. */
export const me = () => get('me') || {};

/** Whose words wait to be sent: another server, or another person on this device, has other ones. */
export const by = () => (me().token || '').slice(0, 8);

/** Rooms visited, the last one first: `{id, name, key}`, with an owner's key. */
export const rooms = () => get('rooms') || [];
export const known = (id) => rooms().find((room) => room.id === id) || { id };

export function remember(id, fields) {
	set('rooms', [{ ...known(id), ...fields }, ...rooms().filter((room) => room.id !== id)].slice(0, 12));
}

/** A uuid v4; on plain http there is no `crypto.randomUUID`. */
export function uuid() {
	const hex = (n) => Array.from(crypto.getRandomValues(new Uint8Array(n)), (b) => (b + 256).toString(16).slice(1)).join('');
	return `${hex(4)}-${hex(2)}-4${hex(2).slice(1)}-a${hex(2).slice(1)}-${hex(6)}`;
}
