"""Reconciliations: whether the books agree with the bank, and with what Eclipse says it did.

A request is a row (``requests``); its command travels on a queue of its own to a process of its own
(``runner``), which compares in one snapshot beside live traffic and writes down what it found.
Nothing here moves money, and nothing here decides whether money moves.

    ECLIPSE  an extract of Eclipse's (``extract``, ``staging``) against the transfers of a period
             (``eclipse``); what a pair comes to, and what to do about it, is pure (``verdicts``)
    BANK     the tie-out: every row of the bank has its transfer and the reverse, and all balances
             add up, term by term (``bank_rows``, ``tie_out``)

A process of its own, because reading a file of a million lines would keep the bank's feed waiting;
one comparison at a time, behind everything else on the machine.
"""
