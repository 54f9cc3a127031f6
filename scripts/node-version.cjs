// Preloaded (node -r) by every npm script: says in one line that this Node is too old, before a newer file is
// read. Only syntax that any Node understands, hence var and no templates.

var floor = require('../package.json')
  .engines.node.replace(/[^0-9.]/g, '')
  .split('.')
  .map(Number);
var running = process.versions.node.split('.').map(Number);

var tooOld = running[0] < floor[0] || (running[0] === floor[0] && running[1] < (floor[1] || 0));

if (tooOld) {
  console.error(
    ['mbuma: needs Node', floor.join('.'), 'or newer; this is Node', process.versions.node].join(' ')
  );
  process.exit(1);
}
