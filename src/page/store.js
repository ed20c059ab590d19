// What this device remembers, or this tab alone, where localStorage is refused or full.

let disk = {}
try {
	disk = localStorage || disk
} catch {}

export function get(key){
	try {
		return JSON.parse(disk['parlor.' + key])
	} catch {
		return null
	}
}

export function set(key, value){
	const name = 'parlor.' + key
	try {
		if(!value) delete disk[name]
		else disk[name] = JSON.stringify(value)
	} catch {
		disk = {...disk, [name]: JSON.stringify(value)}
	}
}
/** Not known to be stored, the oldest first. */
export const outbox = ()=>Object.keys(disk).filter(key=>key.startsWith('parlor.out.')).map(key=>get(key.slice(7))).sort((a, b)=>a.sent - b.sent)
/** Whom the server knows: `{id, token}`. */
export const me = ()=>get('me') || {}

export const by = ()=>(me().token || '').slice(0, 8)
/** The last one first: `{id, roomId, name, key}`; another database has another at that `id`. */
export const rooms = ()=>get('rooms') || []
export const known = id=>rooms().find(room=>room.id === id) || {id}

export function remember(id, fields){
	set('rooms', [{...known(id), ...fields}, ...rooms().filter(room=>room.id !== id)].filter((room, i)=>i < 12 || room.key))
}
/** Its only owner, who left, may come back. */
export function forget(id, left){
	set('rooms', rooms().filter(room=>room.id !== id || (left && room.key)))
	set('seen.' + id, null)
	set('reply.' + id, null)
}
/** Plain http has no `crypto.randomUUID`. */
export const uuid = ()=>'xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx'.replace(/x/g, ()=>(crypto.getRandomValues(new Uint8Array(1))[0] % 16).toString(16))
/** The same for the same question until an answer, in other tabs and after a reload: nobody is two guests. */
export function request(what){
	const seed = get('seed') || uuid()
	set('seed', seed)
	const hash = [...what].reduce((sum, c)=>Math.imul(sum ^ c.codePointAt(), 16777619), 0) >>> 0
	return seed.slice(0, -8) + hash.toString(16).padStart(8, 0)
}
