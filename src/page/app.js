// The page: which screen is shown, the title, the sound.

import { board } from './board.js';
import { chat } from './chat.js';
import { $, closeAll } from './dom.js';
import { t } from './i18n.js';
import { call, net, start } from './net.js';
import { home, reference } from './home.js';
import { located } from './people.js';
import * as store from './store.js';
import { load, room, rooms, view } from './sync.js';

/** Not more often: thirty phones in one room. */
const SOUND_MS = 4000;
let screen, shown, waiting;

/** `#/`, `#/room/7`, `#/room/7?owner=KEY`, `#/room/7/board`. */
function route() {
	const [wanted, key] = reference(location.hash);
	const it = typeof wanted === 'number' && room(wanted);
	if (it && store.me() && !it.member) start();
	const unknown = it && !it.member && store.me();
	const inside = it && !key && (it.member === 'yes' || unknown);
	const wall = inside && location.hash.endsWith('/board');
	shown = [location.hash, inside, it.member].join();
	if (screen) screen.gone();
	closeAll();
	const why = it && !['', 'no', 'yes'].includes(it.member) && it.member;
	screen = inside ? (wall ? board : chat)(it) : home({ wanted, key, why, entered });
	screen.it = inside && it;
	if (inside && it.member === 'yes' && !it.loaded) load(it);
	$('app').textContent = '';
	$('app').append(screen.el);
	screen.opened();
	title();
}

function entered(id) {
	const it = room(id);
	it.member = '';
	start();
	if (net.state === 'online') load(it);
	const hash = '#/room/' + id;
	if (location.hash === hash) route();
	// An owner's key does not stay in the address bar.
	else location.replace(hash);
}

view.changed = (it, entry) => {
	if (it && entry && entry.kind === 'message' && entry.sender !== it.myId() && (document.hidden || !document.hasFocus())) {
		if (it.unread() === 1) it.divider = it.seen;
		sound();
	}
	title();
	waiting = waiting || setTimeout(() => {
		waiting = 0;
		const { it } = screen;
		if (it && it.member && it.member !== 'yes') route();
		else screen.update();
	}, 16);
};

function title() {
	let n = 0;
	for (const it of rooms.values()) n += it.unread();
	document.title = (n ? `(${n}) ` : '') + (screen && screen.it ? screen.it.name + ' · ' : '') + 'parlor';
}

// Browsers let a page be heard after it was touched.
let audio, heard;
addEventListener('pointerdown', () => {
	audio = audio || (window.AudioContext && new AudioContext());
}, { once: true });

function sound() {
	if (!audio || store.get('mute') || Date.now() - heard < SOUND_MS) return;
	heard = Date.now();
	const tone = audio.createOscillator();
	const gain = audio.createGain();
	tone.frequency.value = 660;
	gain.gain.setValueAtTime(0.08, audio.currentTime);
	gain.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.4);
	tone.connect(gain).connect(audio.destination);
	tone.start();
	tone.stop(audio.currentTime + 0.4);
}

// A keyboard on a phone covers the page where the browser does not make it smaller.
if (window.visualViewport) {
	const fit = () => {
		document.body.style.height = visualViewport.height + 'px';
		scrollTo(0, 0);
	};
	visualViewport.onresize = fit;
}

addEventListener('hashchange', route);
addEventListener('focus', title);
call('GET', '/where').then((where) => where.status === 200 && located(where));
// What was typed before a reload is sent, whichever room it is in.
for (const { room: id } of store.all('out.').values()) room(id);
start();
route();
