// The simulator on seeds that nobody has seen, for as long as there is time: an hour, or as many
// minutes as are asked for.
//
//   npm run soak -- simulation [--minutes 60] [--steps 1500]

const hasTime = process.argv.some((arg) => arg.startsWith('--minutes') || arg === '--seeds');
if (!hasTime) process.argv.push('--minutes', '60');
await import('../simulation/main.ts');
