// A room with thousands of messages: older ones load as one scrolls up, the place stays put, and only what is
// near the view is in the document.

import assert from 'node:assert/strict';
import { NO_LIMITS, PHONE, promise } from './support.js';

const MANY = 5000;
/** Rows in the document: a view of 740 pixels with 900 above and below, and rows of at least 30. */
const NEAR = 120;
/** A phone of five years ago is about four times slower than a laptop. */
const SLOWER = 4;
const FIRST_MESSAGE_MS = 5000;
/** What the script's heap may hold of 5,000 messages of 180 characters: 900 kB of text, and what it knows of each. */
const HEAP_BYTES = 32_000_000;
/** A reader's eye sees a jump from about here. */
const JUMP_PX = 2;

/** Scrolls by `by` and answers how far what stands below the first row in view strayed from where it should be:
 * a row itself loses its name when an older one of the same person comes to stand above it. */
const scrolled = (who, by) => who.page.evaluate(async (by) => {
	const list = document.querySelector('#messages');
	const top = list.getBoundingClientRect().top;
	const row = [...list.querySelectorAll('.row')].find((el) => el.getBoundingClientRect().top > top + 5);
	const before = row.getBoundingClientRect().bottom;
	const from = list.scrollTop;
	list.scrollTop -= by;
	const moved = from - list.scrollTop;
	for (let i = 0; i < 4; i++) await new Promise(requestAnimationFrame);
	const now = list.querySelector(`[data-uuid="${row.dataset.uuid}"]`);
	return now && Math.abs(now.getBoundingClientRect().bottom - before - moved);
}, by);

promise('in a room of 5,000 messages older ones load above and the place stays put', NO_LIMITS, async (world) => {
	const teacher = await world.teacher();
	await world.crowd(teacher, MANY);
	await teacher.sees(`message ${MANY - 1} `);
	const ben = await world.pupil(teacher, 'Ben', PHONE);
	await ben.sees(`message ${MANY - 1} `);
	assert.ok(await ben.rows.count() < NEAR);
	const first = async () => Number((await ben.messages())[0].match(/\d+/)[0]);
	const start = await first();
	for (let i = 0; i < 60; i++) {
		const strayed = await scrolled(ben, 600);
		assert.ok(strayed === null || strayed < JUMP_PX, `strayed by ${strayed} pixels, at step ${i}`);
		assert.ok(await ben.rows.count() < NEAR);
	}
	assert.ok(await first() < start - 150, 'older ones were loaded');
	// The order is whole, and what arrives meanwhile moves nothing.
	const numbers = async () => (await ben.messages()).map((text) => Number(text.match(/message (\d+)/)[1]));
	const seen = await numbers();
	assert.deepEqual(seen, seen.map((_, i) => seen[0] + i));
	await teacher.says('while Ben reads what is old');
	await ben.page.getByRole('button', { name: '↓ 1 new' }).waitFor();
	assert.deepEqual(await numbers(), seen);
	await ben.page.getByRole('button', { name: '↓ 1 new' }).click();
	await ben.sees('while Ben reads what is old');
	assert.ok(await ben.rows.count() < NEAR);
});

promise('a phone four times slower has the first message soon, and 5,000 in little memory', NO_LIMITS, async (world) => {
	const teacher = await world.teacher();
	await world.crowd(teacher, MANY);
	const ben = await world.pupil(teacher, 'Ben', PHONE);
	await ben.sees(`message ${MANY - 1} `);
	const chromium = await ben.page.context().newCDPSession(ben.page);
	await chromium.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
	await chromium.send('Network.clearBrowserCache');
	await ben.page.reload({ waitUntil: 'commit' });
	await ben.log.locator('.row').last().waitFor();
	const first = await ben.page.evaluate(() => performance.now());
	await chromium.send('Emulation.setCPUThrottlingRate', { rate: 1 });
	assert.ok(first < FIRST_MESSAGE_MS, `${first} ms`);

	await ben.page.evaluate(() => {
		window.up = setInterval(() => { document.querySelector('#messages').scrollTop = 0; }, 10);
	});
	await ben.page.getByText('message 0 ').waitFor({ timeout: 40_000 });
	await ben.page.evaluate(() => clearInterval(window.up));
	await chromium.send('HeapProfiler.collectGarbage');
	const { usedSize } = await chromium.send('Runtime.getHeapUsage');
	console.log(`first message after ${Math.round(first)} ms on a CPU ${SLOWER} times slower; heap with ${MANY} messages: ${(usedSize / 1e6).toFixed(1)} MB`);
	assert.ok(usedSize < HEAP_BYTES, `${usedSize} bytes`);
	assert.ok(await ben.rows.count() < NEAR);
});

promise('who has read all the way up has every message, and writes as fast as before', NO_LIMITS, async (world) => {
	const teacher = await world.teacher();
	await world.crowd(teacher, 1000);
	await teacher.sees('message 999 ');
	await teacher.page.reload();
	await teacher.sees('message 999 ');
	await teacher.page.evaluate(() => {
		window.up = setInterval(() => { document.querySelector('#messages').scrollTop = 0; }, 20);
	});
	await teacher.sees('message 0 ');
	await teacher.log.getByText('begins here.').waitFor();
	await teacher.page.evaluate(() => clearInterval(window.up));
	assert.ok(await teacher.rows.count() < NEAR);
	await teacher.says('at the end again');
	assert.equal((await teacher.messages()).at(-1), 'at the end again');
	assert.deepEqual((await teacher.messages()).at(-2).split(' ').slice(0, 2), ['message', '999']);
});

promise('search finds an old message, and leads to it', NO_LIMITS, async (world) => {
	const teacher = await world.teacher();
	await world.crowd(teacher, 1000, (i) => (i === 17 ? 'the Needle in it' : `hay ${i}`));
	await teacher.choose('Search');
	await teacher.dialog.getByRole('textbox').fill('needle');
	await teacher.dialog.getByRole('textbox').press('Enter');
	await teacher.dialog.getByRole('button', { name: /the Needle in it/ }).click();
	const found = teacher.log.locator('.found');
	await found.getByText('the Needle in it').waitFor();
	const { top, bottom } = await found.evaluate((el) => el.getBoundingClientRect().toJSON());
	assert.ok(top > 40 && bottom < 800, `in view: ${top} to ${bottom}`);
	await teacher.choose('Search');
	await teacher.dialog.getByRole('textbox').fill('haystack');
	await teacher.dialog.getByRole('textbox').press('Enter');
	await teacher.page.getByRole('status').getByText('Nothing found').waitFor();
});
