"""Statement files, where a bank has no API: each format to the same lines as the API's rows.

MT940 is read by ``mt-940``. OFX and CAMT.053 are read here: of OFX's readers one is under the GPL
and one is unmaintained, of CAMT's one brings a web framework along, and what is needed of either
is a dozen elements. XML goes through ``defusedxml``, for a file comes from outside.
"""
