/** The bot's long answer: what happens to a message, in the order in which it happens. */
export const LECTURE = `A long answer, then. This is what becomes of a message.

Your browser showed it before anybody else knew of it, with an ID that it made itself. Then it sent the message to the relay, and the relay wrote one row. Had the line broken in between, it would have been sent again, and stored once.

A trigger noted which space the row is in. It locked nothing: somebody else's transaction in the same space was not in its way, and it was in nobody's.

At the commit a second trigger locked the space for a moment, raised its version by one and filed the row under that number. Whatever the transaction had changed got the same version. Then Postgres told the relay that something is new: the space's name and its version, not a word of what was said.

The relay asked what has happened since the version that it knew, made one text of the answer, and wrote that to everybody who reads here. If ten thousand of you were reading, it would be the same text ten thousand times.

Readers who were away ask the same question, with the last version that they saw, and get the same answer as those who stayed. There is no second way, and so no second way to get it wrong.

And this answer? It is one row, written some hundreds of times while you read it. Every version of it was a commit.`;
