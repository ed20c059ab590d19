// Elements, dialogs, toasts. Knows no room and no server.

import { t } from './i18n.js';

export const $ = (id) => document.getElementById(id);

/** An element: `h('button.soft#id', {onclick}, 'text', child)`. Text stays text; false is left out. */
export function h(spec, props, ...children) {
	const [, tag, classes, id] = spec.match(/^(\w+)([^#]*)#?(.*)$/);
	const el = document.createElement(tag);
	if (classes) el.className = classes.slice(1).replace(/\./g, ' ');
	if (id) el.id = id;
	if (tag === 'button') el.type = 'button';
	for (const key in props) {
		const value = props[key];
		if (key.startsWith('on')) el[key] = value;
		else if (value || value === 0) el.setAttribute(key, value === true ? '' : value);
	}
	return fill(el, ...children);
}

export function fill(el, ...children) {
	el.textContent = '';
	el.append(...children.flat().filter(Boolean));
	return el;
}

/** A button with a sign on it; `label` is its name and tip. */
export const sign = (id, mark, label, onclick) =>
	h('button.sign', { 'data-act': id, 'aria-label': label, title: label, onclick }, mark);

export const button = (id, label, onclick, kind = 'soft') => h('button.' + kind, { 'data-act': id, onclick }, label);

export const field = (id, label, props) =>
	h('label.field', {}, label, h('input#' + id, { autocomplete: 'off', dir: 'auto', ...props }));

/** A switch; `act` answers whether it went well. */
export function toggle(id, label, on, act) {
	const flip = async () => {
		box.disabled = true;
		if (!await act(box.checked)) box.checked = !box.checked;
		box.disabled = false;
	};
	const box = h('input#' + id, { type: 'checkbox', role: 'switch', checked: on, onchange: flip });
	return h('label.toggle', {}, label, box);
}

// ---- Dialogs: one above the other; the uppermost keeps the focus, Escape closes it ----

const open = [];

/** A dialog; answers how to close it. */
export function dialog(name, title, body, onclose) {
	const before = document.activeElement;
	const box = h('div.dialog', { role: 'dialog', 'aria-modal': 'true', 'aria-label': title, 'data-dialog': name, tabindex: -1 },
		h('header', {}, h('h2', { dir: 'auto' }, title), sign('close', '✕', t('close'), () => close())), body);
	const veil = h('div.veil', { onclick: (e) => e.target === veil && close() }, box);
	const close = () => {
		if (!open.includes(close)) return;
		open.splice(open.indexOf(close), 1);
		veil.remove();
		const back = before.isConnected && before !== document.body ? before : $('text');
		if (back) back.focus({ preventScroll: true });
		if (onclose) onclose();
	};
	close.box = box;
	open.push(close);
	$('layer').append(veil);
	(box.querySelector('input:not([type=checkbox]):not([readonly])') || box).focus({ preventScroll: true });
	return close;
}

export const closeAll = () => [...open].reverse().forEach((close) => close());

document.addEventListener('keydown', (e) => {
	const close = open[open.length - 1];
	if (!close) return;
	const inside = [...close.box.querySelectorAll('a,button,input')].filter((el) => !el.disabled);
	const at = inside.indexOf(document.activeElement);
	const step = { ArrowDown: 1, ArrowUp: -1, Tab: e.shiftKey ? -1 : 1 }[e.key];
	if (e.key === 'Escape') close();
	else if (step) inside[(Math.max(at, step < 0 ? 0 : -1) + step + inside.length) % inside.length].focus();
	else return;
	e.preventDefault();
	e.stopPropagation();
}, true);

/** A dialog of things to do: `[id, label, action, danger]`; false ones are left out. */
export function menu(title, items) {
	const close = dialog('menu', title, h('div.menu', {}, items.filter(Boolean).map(([id, label, act, danger]) =>
		button(id, label, () => { close(); act(); }, danger ? 'danger' : 'plain'))));
}

/** Does it if a person says yes. */
export function sure(question, act) {
	menu(question + '?', [['yes', t('yes'), act, true], ['no', t('cancel'), () => {}]]);
}

let hide;
export function toast(text) {
	$('toast').textContent = text;
	clearTimeout(hide);
	hide = setTimeout(() => toast(''), 5000);
}

/** A text to copy, also where there is no clipboard: plain http. */
export function copyable(id, label, text) {
	const input = h('input#' + id, { readonly: true, value: text, 'aria-label': label, onfocus: () => input.select() });
	return h('div.copy', {}, input, button('copy', t('copy'), () => {
		input.focus();
		toast(document.execCommand('copy') ? t('copied') : text);
	}));
}
