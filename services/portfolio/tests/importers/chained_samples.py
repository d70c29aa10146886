"""A person's statements that chain: two months of a taxable account and an IRA that was transferred in. All of it is made up.

Taxable, January: 10,000 in; 100 ABC bought for 2,000 + 1; a dividend of 30 less 4.50 tax; ends with 8,024.50 and 100 ABC.
Taxable, February: 40 ABC sold for 1,000 − 1 (basis 800.40, gain 198.60); 50 XYZ bought for 500 + 1; ends with 8,522.50, 60 ABC, 50 XYZ.
IRA: 20 OLD came from elsewhere with no basis; 20 ABC bought for 450 + 1 out of 1,000; 5 OLD sold for 600 − 1: its gain waits.
"""

HEAD = """Statement,Header,Field Name,Field Value
Statement,Data,Title,Activity Statement
Statement,Data,Period,"{period}"
Account Information,Header,Field Name,Field Value
Account Information,Data,Account,{account}
Account Information,Data,Base Currency,USD
Change in NAV,Header,Field Name,Field Value
Change in NAV,Data,Starting Value,{nav[0]}
Change in NAV,Data,Everything,{nav[1]}
Change in NAV,Data,Ending Value,{nav[2]}
Mark-to-Market Performance Summary,Header,Asset Category,Symbol,Prior Quantity,Current Quantity,Prior Price,Current Price
{prior}Cash Report,Header,Currency Summary,Currency,Total,
Cash Report,Data,Starting Cash,USD,{cash[0]},
Cash Report,Data,Everything,USD,{cash[1]},
Cash Report,Data,Ending Cash,USD,{cash[2]},
Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Cost Price,Cost Basis,Close Price,Value,Unrealized P/L,Code
{held}Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code
{trades}"""

JANUARY = (
    HEAD.format(
        period="January 1, 2024 - January 31, 2024",
        account="U0000001",
        nav=("0", "10124.5", "10124.5"),
        prior="Mark-to-Market Performance Summary,Data,Stocks,ABC,0,100,--,21\n",
        cash=("0", "8024.5", "8024.5"),
        held="Open Positions,Data,Summary,Stocks,USD,ABC,100,1,20.01,2001,21,2100,99,\n",
        trades='Trades,Data,Order,Stocks,USD,ABC,"2024-01-10, 10:00:00",100,20,20,-2000,-1,2001,0,0,O\n',
    )
    + """Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount
Deposits & Withdrawals,Data,USD,2024-01-02,Electronic Fund Transfer,10000
Dividends,Header,Currency,Date,Description,Amount
Dividends,Data,USD,2024-01-25,ABC(US0000000001) Cash Dividend USD 0.30 per Share (Ordinary Dividend),30
Withholding Tax,Header,Currency,Date,Description,Amount,Code
Withholding Tax,Data,USD,2024-01-25,ABC(US0000000001) Cash Dividend USD 0.30 per Share - US Tax,-4.5,
"""
)
FEBRUARY = HEAD.format(
    period="February 1, 2024 - February 29, 2024",
    account="U0000001",
    nav=("10124.5", "398", "10522.5"),
    prior="Mark-to-Market Performance Summary,Data,Stocks,ABC,100,60,21,25\n"
    "Mark-to-Market Performance Summary,Data,Stocks,XYZ,0,50,--,10\n",
    cash=("8024.5", "498", "8522.5"),
    held="Open Positions,Data,Summary,Stocks,USD,ABC,60,1,20.01,1200.6,25,1500,299.4,\n"
    "Open Positions,Data,Summary,Stocks,USD,XYZ,50,1,10.02,501,10,500,-1,\n",
    trades='Trades,Data,Order,Stocks,USD,ABC,"2024-02-12, 10:00:00",-40,25,25,1000,-1,-800.4,198.6,0,C\n'
    'Trades,Data,Order,Stocks,USD,XYZ,"2024-02-13, 10:00:00",50,10,10,-500,-1,501,0,0,O\n',
)
IRA = (
    HEAD.format(
        period="January 1, 2024 - February 29, 2024",
        account="U0000002",
        nav=("0", "3348", "3348"),
        prior="Mark-to-Market Performance Summary,Data,Stocks,OLD,0,15,--,120\n"
        "Mark-to-Market Performance Summary,Data,Stocks,ABC,0,20,--,25\n",
        cash=("0", "1148", "1148"),
        held="Open Positions,Data,Summary,Stocks,USD,ABC,20,1,22.55,451,20,400,-51,\n"
        "Open Positions,Data,Summary,Stocks,USD,OLD,15,1,--,--,120,1800,--,\n",
        trades='Trades,Data,Order,Stocks,USD,ABC,"2024-02-14, 10:00:00",20,22.5,22.5,-450,-1,451,0,0,O\n'
        'Trades,Data,Order,Stocks,USD,OLD,"2024-02-20, 10:00:00",-5,120,120,600,-1,-400,199,0,C\n',
    )
    + """Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount
Deposits & Withdrawals,Data,USD,2024-02-01,Electronic Fund Transfer,1000
Transfers,Header,Asset Category,Currency,Symbol,Date,Type,Direction,Xfer Company,Xfer Account,Qty,Xfer Price,Market Value,Realized P/L,Cash Amount,Code
Transfers,Data,Stocks,USD,OLD,2023-12-29,ACATS,In,Other Broker,--,20,--,2400,0,0,
"""
)

END = "Codes,Header,Code,Meaning,Code (Cont.),Meaning (Cont.)\nCodes,Data,C,Closing Trade,O,Opening Trade\n"
"""A section that such files end with: behind it, rows that a summary does not know were not cut off."""
