// Text as it is shown: links, beginnings, times. Never HTML.

import { h } from './dom.js';
import { locale, t } from './i18n.js';

export function linked(text) {
	const nodes = [];
	let from = 0;
	for (const { 0: found, index } of text.matchAll(/\bhttps?:\/\/[^\s<>"'`，。！？；：、（）《》「」]+/gi)) {
		// A sentence's end is not the address's.
		let href = found.replace(/[.,;:!?*]+$/, '');
		if (!href.includes('(')) href = href.replace(/\)+$/, '');
		nodes.push(text.slice(from, index), h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, href));
		from = index + href.length;
	}
	return [...nodes, text.slice(from)];
}

export const snippet = (text) => text.slice(0, 90).replace(/\s+/g, ' ') + (text.length > 90 ? '…' : '');

/** A name inside a sentence: its direction stays its own. */
export const bidi = (name) => `\u2068${name}\u2069`;

/** Milliseconds of a time with nanoseconds, which not all browsers read. */
export const millis = (sent) => Date.parse((sent || '').replace(/(\.\d{3})\d+/, '$1')) || 0;

const show = (ms, options) => new Date(ms).toLocaleString(locale(), options);
export const clock = (ms) => show(ms, { timeStyle: 'short' });
export const dayOf = (ms) => new Date(ms).setHours(0, 0, 0, 0);

export function day(ms) {
	const ago = Math.round((dayOf(Date.now()) - dayOf(ms)) / 864e5);
	return ago < 2 ? t(ago < 1 ? 'today' : 'yesterday') : show(ms, { dateStyle: 'full' });
}
