// Fifty faces, drawn from `avatarIndex`: five animals in ten colours.

function svg(tag, attributes, ...children) {
	const el = document.createElementNS('http://www.w3.org/2000/svg', tag);
	for (const key in attributes) el.setAttribute(key, attributes[key]);
	el.append(...children);
	return el;
}

/** Ears and what is inside them: a cat's, a bear's, a rabbit's, an owl's, a frog's. */
const EARS = [
	['M9 27 11 7l13 10zM39 27 37 7 24 17z', 'M12.5 19 13.5 12l5 4zM35.5 19 34.5 12l-5 4z'],
	['M5 16a7 7 0 1 1 15 0 7 7 0 1 1-15 0zM28 16a7 7 0 1 1 15 0 7 7 0 1 1-15 0z', 'M9 16a3 3 0 1 1 7 0 3 3 0 1 1-7 0zM32 16a3 3 0 1 1 7 0 3 3 0 1 1-7 0z'],
	['M13 24C6 4 14-1 18 4s4 12 4 18zM35 24C42 4 34-1 30 4s-4 12-4 18z', 'M15 18c-3-9-.5-12 1-11s3 7 3 11zM33 18c3-9 .5-12-1-11s-3 7-3 11z'],
	['M8 30V8c5 1 10 4 16 6 6-2 11-5 16-6v22z', ''],
	['M10 18a6.5 6.5 0 1 1 13 0v6H10zM25 18a6.5 6.5 0 1 1 13 0v6H25z', ''],
];

export function avatar(index) {
	const kind = index % 5;
	const step = Math.floor(index / 5) % 10;
	const hue = step * 36 + kind * 9;
	const [fur, light, dark] = ['55%,63%', '60%,88%', '45%,16%'].map((c) => `hsl(${hue},${c})`);
	const path = (d, fill) => svg('path', { d, fill });
	const line = (d) => svg('path', { d, fill: 'none', stroke: dark, 'stroke-width': 1.8, 'stroke-linecap': 'round' });
	const dot = (cx, cy, r, fill) => svg('circle', { cx, cy, r, fill });
	const frog = kind === 4;
	const owl = kind === 3;
	const parts = [path('M0 0h48v48H0z', light), path(EARS[kind][0], fur), path(EARS[kind][1], light),
		svg('ellipse', { cx: 24, cy: 31, rx: frog ? 18 : 16, ry: frog ? 12 : 14, fill: fur })];
	for (const side of [-1, 1]) {
		const x = 24 + side * (frog ? 7.5 : 6.5);
		const y = frog ? 18 : owl ? 25 : 28;
		if (frog || owl) parts.push(dot(x, y, frog ? 4.5 : 6, '#fff'));
		// Open, laughing or winking.
		if (step % 3 === 1 || (step % 3 === 2 && side > 0)) parts.push(line(`M${x - 2.5} ${y + 1}q2.5-3.5 5 0`));
		else parts.push(dot(x, y, 2.3, dark), dot(x + 0.8, y - 0.8, 0.7, '#fff'));
		parts.push(dot(24 + side * 11, 34, 2.3, '#ef7d86'));
	}
	if (owl) parts.push(path('M21.5 29h5L24 34z', '#f2b84b'));
	else if (frog) parts.push(line('M16 32q8 6 16 0'));
	else parts.push(dot(24, 32, 1.8, dark), line('M20 35.5q2 2 4 0q2 2 4 0'));
	return svg('svg', { viewBox: '0 0 48 48', class: 'avatar', 'aria-hidden': 'true' }, ...parts);
}
