"""Money to any bank account: held, approved, sent once, and settled when the bank shows it.

The bank has no idempotency key and may pay without answering. So:

 - before a payment is asked for, it is written down that it is (``SUBMITTING``), and whoever finds
   that later does not ask again;
 - the money stays reserved until a definite word: the bank's refusal, its debit row, or that of two
   people that it did not and will not pay;
 - its debit row is booked whatever the payout has become meanwhile, for that money has left.

Never imports ``gateway`` or ``consumers``; ``gateway`` takes orders and words through it.
"""
