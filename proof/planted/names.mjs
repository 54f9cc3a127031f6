// Scenarios and options that several planted bugs use.

export const kill = { everyStoreOfFills: false };
export const drains = 'both drain and trim';
export const carries = 'ring: it carries items';
export const first = 'the first slab, header in line';
export const firstOff = 'the first slab, header off the page';
export const full = 'full buckets of the zone';
export const goesBack = 'a slab goes back while the other wants it';
export const limitOfOne = 'a limit of one, and two who sleep for it';
export const bothFull = 'a free that finds both buckets full';
export const cleanUp = 'two clean up after a third';
export const elsewhere = 'an item on its way to one who is drained';
export const limitByThree = 'a history of a limit of one';
