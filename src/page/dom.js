// Elements, dialogs, toasts. Knows no room and no server.

import { t } from './i18n.js';

export const $ = (id) => document.getElementById(id);

/** An element: `h('button.soft#id', {onclick}, 'text', child)`. Text stays text; what is false is left out. */
export function h(spec, props, ...children) {
	const [, tag, classes, id] = spec.match(/^(\w+)([^#]*)#?(.*)$/);
	const el = document.createElement(tag);
	if (classes) el.className = classes.slice(1).replace(/\./g, ' ');
	if (id) el.id = id;
	if (tag === 'button') el.type = 'button';
	for (const key in props) {
		if (key.startsWith('on')) el[key] = props[key];
		else if (props[key] != null && props[key] !== false) el.setAttribute(key, props[key]);
	}
	return fill(el, ...children);
}

export function fill(el, ...children) {
	el.textContent = '';
	el.append(...children.flat().filter(Boolean));
	return el;
}

export const button = (act, label, onclick, kind = 'soft') => h('button.' + kind, { 'data-act': act, onclick }, label);
export const submit = (label) => h('button.main', { type: 'submit' }, label);

/** A button with a sign on it; `label` is its name. */
export const sign = (act, mark, label, onclick) => h('button.sign', { 'data-act': act, 'aria-label': label, title: label, onclick }, mark);

export const field = (id, label, props) => h('label.field', {}, label, h('input#' + id, { autocomplete: 'off', dir: 'auto', ...props }));

// Dialogs, one above the other: the uppermost keeps the focus, Escape closes it.
const open = [];

/** Answers how to close it. */
export function dialog(name, title, ...body) {
	const before = document.activeElement;
	const box = h('div.dialog', { role: 'dialog', 'aria-modal': true, 'aria-label': title, 'data-dialog': name, tabindex: -1 },
		h('div.head', {}, h('h2', { dir: 'auto' }, title), sign('close', '✕', t('close'), () => close())), ...body);
	const veil = h('div.veil', { onclick: (e) => e.target === veil && close() }, box);
	const close = () => {
		if (open.includes(close)) open.splice(open.indexOf(close), 1);
		veil.remove();
		(before.isConnected ? before : document.body).focus({ preventScroll: true });
	};
	close.box = box;
	open.push(close);
	$('layer').append(veil);
	(box.querySelector('input:not([readonly])') || box).focus();
	return close;
}

export const closeAll = () => open.slice().forEach((close) => close());

addEventListener('keydown', (e) => {
	const close = open[open.length - 1];
	const step = { Tab: e.shiftKey ? -1 : 1, ArrowDown: 1, ArrowUp: -1 }[e.key];
	if (!close || !(step || e.key === 'Escape')) return;
	e.preventDefault();
	e.stopPropagation();
	if (!step) return close();
	const inside = [...close.box.querySelectorAll('a,button,input')];
	inside[(Math.max(inside.indexOf(document.activeElement), step > 0 ? -1 : 0) + step + inside.length) % inside.length].focus();
}, true);

/** A dialog of things to do: `[act, label, action, danger]`; what is false is left out. */
export function menu(title, items) {
	const close = dialog('menu', title, h('div.menu', {}, items.filter(Boolean).map(([act, label, action, danger]) =>
		button(act, label, () => { close(); action(); }, danger ? 'danger' : 'plain'))));
}

/** Does it if a person says yes. */
export const sure = (question, action) => menu(question + '?', [['yes', t('yes'), action, true], ['no', t('cancel'), () => {}]]);

let hide;
export function toast(text) {
	$('toast').textContent = text;
	clearTimeout(hide);
	if (text) hide = setTimeout(toast, 5000, '');
}

/** A text to copy; plain http has no clipboard, so the old way. */
export function copyable(id, label, value) {
	const input = h('input#' + id, { readonly: true, value, 'aria-label': label });
	return h('div.line', {}, input, button('copy', t('copy'), () => {
		input.select();
		document.execCommand('copy');
		toast(t('copied'));
	}));
}
