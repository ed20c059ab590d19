// Fifty faces, drawn from `avatarIndex`: five animals in ten colours.

function svg(tag, attributes, ...children) {
	const el = document.createElementNS('http://www.w3.org/2000/svg', tag);
	for (const key in attributes) el.setAttribute(key, attributes[key]);
	el.append(...children);
	return el;
}

/** The left ear of cat, bear, rabbit, owl and frog. */
const EARS = ['M9 27 11 7l13 10z', 'M5 16a7 7 0 1 1 15 0 7 7 0 1 1-15 0z', 'M13 24C6 4 14-1 18 4s4 12 4 18z', 'M8 30V8c5 1 10 4 16 6v16z', 'M10 18a6.5 6.5 0 1 1 13 0v6H10z'];

export function avatar(index = 0) {
	const kind = index % 5;
	const step = Math.floor(index / 5) % 10;
	const [fur, light, dark] = ['55%,63%', '60%,88%', '45%,16%'].map((c) => `hsl(${step * 36 + kind * 9},${c})`);
	const path = (d, fill) => svg('path', { d, fill });
	const line = (d) => svg('path', { d, fill: 'none', stroke: dark, 'stroke-width': 1.8, 'stroke-linecap': 'round' });
	const dot = (cx, cy, r, fill) => svg('circle', { cx, cy, r, fill });
	const both = (half) => ['', 'matrix(-1 0 0 1 48 0)'].map((transform) => svg('g', { transform }, ...half()));
	const [x, y, white] = [[17.5, 25, 6], [16.5, 18, 4.5]][kind - 3] || [17.5, 28, 0];
	const frog = kind > 3;
	return svg('svg', { viewBox: '0 0 48 48', class: 'avatar', 'aria-hidden': true }, path('M0 0h48v48H0z', light),
		...both(() => [path(EARS[kind], fur)]), svg('ellipse', { cx: 24, cy: 31, rx: frog ? 18 : 16, ry: frog ? 12 : 14, fill: fur }),
		...both(() => [dot(x, y, white, '#fff'), dot(13, 34, 2.3, '#ef7d86'), dot(x, y, 2.3, dark)]),
		kind === 3 ? path('M21.5 29h5L24 34z', '#f2b84b') : line(frog ? 'M16 32q8 6 16 0' : 'M23 32h2M20 35.5q2 2 4 0q2 2 4 0'));
}
