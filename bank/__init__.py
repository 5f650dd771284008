"""The bank side: deposits find their wallet, payouts reach any bank account, the books agree with
the bank.

Money moves by commands through the queue like everybody's; what is kept here is what the bank said,
what people decided about it, and how far each payout has come. Never imports ``gateway`` or
``consumers``.
"""
