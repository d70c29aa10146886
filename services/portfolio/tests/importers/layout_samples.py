"""Small statements of the layouts that Interactive Brokers prints for other countries and years, made up and adding up."""

TRADES = "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code"
CASH = "Cash Report,Header,Currency Summary,Currency,Total,Securities,Futures,"
LEVIES = "Transaction Fees,Header,Asset Category,Currency,Date/Time,Symbol,Description,Quantity,Trade Price,Amount,Code"
ACTIONS = "Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,Realized P/L,Code"
FEES = "Fees,Header,Subtitle,Currency,Date,Description,Amount"
END = "Codes,Header,Code,Meaning,Code (Cont.),Meaning (Cont.)\nCodes,Data,A,Assignment,O,Opening Trade"


def statement(*sections: str, base: str = "USD", account: str = "U0000004") -> str:
    """A statement of a quarter with these sections behind the ones that every statement begins with."""
    return "\n".join(
        [
            "Statement,Header,Field Name,Field Value",
            "Statement,Data,Title,Activity Statement",
            'Statement,Data,Period,"January 1, 2024 - March 31, 2024"',
            "Account Information,Header,Field Name,Field Value",
            f"Account Information,Data,Account,{account}",
            f"Account Information,Data,Base Currency,{base}",
            *sections,
            END,
            "",
        ]
    )


def cash(currency: str, start: str, end: str, **lines: str) -> str:
    """The block of one currency in the cash report; underscores of the lines' names stand for blanks and signs."""
    names = {
        "sales": "Trades (Sales)", "purchases": "Trades (Purchase)", "net_purchases": "Net Trades (Purchase)", "levies": "Transaction Fees",
        "gst": "GST", "other_fees": "Other Fees", "commissions": "Commissions", "deposits": "Deposits", "collateral": "Starting Collateral Value",
    }  # fmt: skip
    rows = [("Starting Cash", start), *((names[name], amount) for name, amount in lines.items()), ("Ending Cash", end)]
    return "\n".join(f"Cash Report,Data,{name},{currency},{amount},{amount},0," for name, amount in rows)


def order(
    symbol: str,
    quantity: str,
    price: str,
    proceeds: str,
    fee: str,
    *,
    asset: str = "Stocks",
    currency: str = "USD",
    day: str = "2024-02-05",
) -> str:
    """A purchase whose basis is what it cost."""
    return f'Trades,Data,Order,{asset},{currency},{symbol},"{day}, 09:06:18",{quantity},{price},{price},{proceeds},{fee},,0,0,O'
