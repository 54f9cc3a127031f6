/**
 * Where the parser leaves what it read: one array of words, made once. The first part is the key of the
 * conversation, in the shape in which the conversation's record holds it, so that finding one is comparing
 * words.
 *
 * A conversation has no first and second end that a packet could tell, so the ends are put in order: *low*
 * before *high*.
 */

/** Hash of the key. */
export const FIELD_HASH = 0;
/** Protocol, and the address family in the next byte. */
export const FIELD_KIND = 1;
/** Low end's port in the upper half, high end's in the lower. */
export const FIELD_PORTS = 2;
/** Four words; an IPv4 address takes the first, the others are 0. */
export const FIELD_LOW = 3;
export const FIELD_HIGH = 7;
/** 1 when the packet goes from the high end to the low one. */
export const FIELD_BACKWARD = 11;
/** TCP only: the byte of flags, and `TCP_FRAGMENT`. */
export const FIELD_TCP_FLAGS = 12;
export const FIELD_SEQUENCE = 13;
export const FIELD_ACKNOWLEDGEMENT = 14;

export const FIELD_COUNT = 16;

/** Beside the flags of TCP: the packet goes on in other fragments. */
export const TCP_FRAGMENT = 0x100;

export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const FAMILY_IPV4 = 4;
export const FAMILY_IPV6 = 6;

/** What a packet is: exactly one of these... */
export const CLASS_NOT_IP = 0;
export const CLASS_OTHER_IP = 1;
export const CLASS_TCP = 2;
export const CLASS_UDP = 3;
export const CLASS_MASK = 3;
/** ...with these bits where they hold. It is a fragment of an IP packet, the first one included. */
export const CLASS_FRAGMENT = 4;
/** The bytes ended before the headers did. */
export const CLASS_CUT = 8;
