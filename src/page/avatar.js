// Fifty faces, drawn from `avatarIndex`: three animals, each in a colour of its own.

/** The left ear of cat, bear and rabbit. */
const EARS = ['M9 27 11 7l13 10z', 'M5 16a7 7 0 1 1 15 0 7 7 0 1 1-15 0z', 'M13 24C6 4 14-1 18 4s4 12 4 18z'];
const both = (half) => half + `<g transform="matrix(-1 0 0 1 48 0)">${half}</g>`;
const dot = (cx, cy, fill) => `<circle cx="${cx}" cy="${cy}" r="2.3" fill="${fill}"/>`;

export function avatar(index = 0) {
	const [fur, light, dark] = ['55%,63%', '60%,88%', '45%,16%'].map((c) => `hsl(${index * 47},${c})`);
	const box = document.createElement('div');
	box.innerHTML = `<svg viewBox="0 0 48 48" class="avatar" aria-hidden="true"><path d="M0 0h48v48H0z" fill="${light}"/>
		${both(`<path d="${EARS[index % 3]}" fill="${fur}"/>`)}<ellipse cx="24" cy="31" rx="16" ry="14" fill="${fur}"/>
		${both(dot(17.5, 28, dark) + dot(13, 34, '#ef7d86'))}
		<path d="M23 32h2M20 35.5q2 2 4 0q2 2 4 0" fill="none" stroke="${dark}" stroke-width="1.8" stroke-linecap="round"/></svg>`;
	return box.firstChild;
}
